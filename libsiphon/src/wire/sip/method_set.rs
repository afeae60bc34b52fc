//! Allow (RFC 3261 20.5) as a set of methods.

use std::fmt;

use super::method::Method;

/// A set of the methods this library knows by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MethodSet {
    bits: u16,
}

impl MethodSet {
    /// The empty set.
    pub const NONE: MethodSet = MethodSet { bits: 0 };

    /// The set of some methods; [`Method::Other`] is passed over.
    pub const fn of(methods: &[Method]) -> Self {
        let mut set = Self::NONE;
        let mut at = 0;
        while at < methods.len() {
            set = set.with(methods[at]);
            at += 1;
        }
        set
    }

    /// The same and one more.
    #[must_use]
    pub const fn with(self, method: Method) -> Self {
        MethodSet { bits: self.bits | bit(method) }
    }

    /// Whether a method is in it; never so for [`Method::Other`].
    pub const fn contains(self, method: Method) -> bool {
        self.bits & bit(method) != 0
    }

    /// Whether no method is in it.
    pub const fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// Its methods in the order of [`Method::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Method> {
        Method::ALL.iter().copied().filter(move |&method| self.contains(method))
    }

    /// As a number, one bit per method in the order of [`Method::ALL`], for encoded state.
    pub const fn bits(self) -> u16 {
        self.bits
    }

    /// From [`bits`](Self::bits); bits that stand for no method are dropped.
    pub fn from_bits(bits: u16) -> Self {
        MethodSet { bits: bits & Self::of(Method::ALL).bits }
    }
}

const fn bit(method: Method) -> u16 {
    match method {
        Method::Other => 0,
        named => 1 << (named as u16),
    }
}

const _: () = assert!(Method::ALL.len() <= 16, "a method set has 16 bits");

impl FromIterator<Method> for MethodSet {
    fn from_iter<I: IntoIterator<Item = Method>>(methods: I) -> Self {
        methods.into_iter().fold(Self::NONE, Self::with)
    }
}

/// The value of Allow: names with commas.
impl fmt::Display for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, method) in self.iter().enumerate() {
            write!(f, "{}{method}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for MethodSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MethodSet({self})")
    }
}
