//! Bencode (BitTorrent BEP 3): integers, byte strings, lists, dictionaries. What rtpengine's NG protocol is written in.
//!
//! Reading is bounded in octets, depth and number of values, and never panics. Writing is canonical: dictionaries are
//! ordered by the octets of their keys. Reading takes keys in any order, because rtpengine writes them so.

use std::collections::BTreeMap;

/// A dictionary, in the canonical order of its keys.
pub type Dictionary = BTreeMap<Vec<u8>, Value>;

/// A bencoded value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// `i42e`
    Integer(i64),
    /// `4:text`
    Bytes(Vec<u8>),
    /// `l…e`
    List(Vec<Value>),
    /// `d…e`
    Dictionary(Dictionary),
}

/// Bounds on what is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Octets of the whole. Default 64 KiB: what a datagram can hold.
    pub octets: usize,
    /// Lists and dictionaries inside each other. Default 16; rtpengine's deepest answer has 8.
    pub depth: usize,
    /// Values of the whole, keys not counted. Default 16,384: a query about a call with hundreds of streams.
    pub values: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { octets: 65_536, depth: 16, values: 16_384 }
    }
}

/// Why octets are no bencoded value.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// More octets than allowed.
    #[error("more than {0} octets")]
    TooLong(usize),
    /// Lists and dictionaries too deep inside each other.
    #[error("nested deeper than {0}")]
    TooDeep(usize),
    /// Too many values.
    #[error("more than {0} values")]
    TooMany(usize),
    /// The end comes inside a value.
    #[error("ends inside a value")]
    Truncated,
    /// No value begins with this octet.
    #[error("no value begins with octet {octet:#04x} at {at}")]
    Unexpected {
        /// The octet.
        octet: u8,
        /// Where it is.
        at: usize,
    },
    /// Not a decimal number that fits, or one with needless zeros.
    #[error("no number at {0}")]
    Number(usize),
    /// A key is no byte string.
    #[error("a key that is no byte string at {0}")]
    Key(usize),
    /// A key is there twice.
    #[error("the same key again at {0}")]
    Repeated(usize),
    /// Octets follow the value.
    #[error("{0} octets follow the value")]
    Trailing(usize),
}

/// Reads the value that is all of `octets`.
pub fn parse(octets: &[u8], limits: &Limits) -> Result<Value, Malformed> {
    if octets.len() > limits.octets {
        return Err(Malformed::TooLong(limits.octets));
    }
    let mut reader = Reader { octets, at: 0, limits, values: 0 };
    let value = reader.value(0)?;
    match octets.len().saturating_sub(reader.at) {
        0 => Ok(value),
        rest => Err(Malformed::Trailing(rest)),
    }
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
    limits: &'a Limits,
    values: usize,
}

/// Digits of the longest number that can fit, with its sign.
const LONGEST_NUMBER: usize = 20;

impl Reader<'_> {
    fn peek(&self) -> Result<u8, Malformed> {
        self.octets.get(self.at).copied().ok_or(Malformed::Truncated)
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        self.values = self.values.saturating_add(1);
        if self.values > self.limits.values {
            return Err(Malformed::TooMany(self.limits.values));
        }
        match self.peek()? {
            b'i' => {
                self.step();
                self.number(b'e').map(Value::Integer)
            }
            b'0'..=b'9' => self.bytes().map(Value::Bytes),
            b'l' => {
                let depth = self.deeper(depth)?;
                let mut list = Vec::new();
                while !self.ends()? {
                    list.push(self.value(depth)?);
                }
                Ok(Value::List(list))
            }
            b'd' => {
                let depth = self.deeper(depth)?;
                let mut dictionary = Dictionary::new();
                while !self.ends()? {
                    let at = self.at;
                    if !self.peek()?.is_ascii_digit() {
                        return Err(Malformed::Key(at));
                    }
                    let key = self.bytes()?;
                    let value = self.value(depth)?;
                    if dictionary.insert(key, value).is_some() {
                        return Err(Malformed::Repeated(at));
                    }
                }
                Ok(Value::Dictionary(dictionary))
            }
            octet => Err(Malformed::Unexpected { octet, at: self.at }),
        }
    }

    fn deeper(&mut self, depth: usize) -> Result<usize, Malformed> {
        self.step();
        let depth = depth.saturating_add(1);
        if depth > self.limits.depth { Err(Malformed::TooDeep(self.limits.depth)) } else { Ok(depth) }
    }

    /// Whether the list or dictionary ends here; then the end is passed.
    fn ends(&mut self) -> Result<bool, Malformed> {
        let ends = self.peek()? == b'e';
        if ends {
            self.step();
        }
        Ok(ends)
    }

    /// A decimal number up to `end`, which is passed.
    fn number(&mut self, end: u8) -> Result<i64, Malformed> {
        let at = self.at;
        let rest = self.octets.get(at..).unwrap_or_default();
        let digits = rest.iter().take(LONGEST_NUMBER.saturating_add(1)).position(|o| *o == end);
        let Some(digits) = digits else {
            let short = rest.len() <= LONGEST_NUMBER && rest.iter().all(|o| o.is_ascii_digit() || *o == b'-');
            return Err(if short { Malformed::Truncated } else { Malformed::Number(at) });
        };
        let text = rest.get(..digits).and_then(|d| std::str::from_utf8(d).ok()).unwrap_or_default();
        self.at = at.saturating_add(digits).saturating_add(1);
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let plain = unsigned.bytes().all(|o| o.is_ascii_digit());
        let needless = (unsigned.len() > 1 && unsigned.starts_with('0')) || text == "-0";
        match text.parse() {
            Ok(number) if plain && !needless => Ok(number),
            _ => Err(Malformed::Number(at)),
        }
    }

    fn bytes(&mut self) -> Result<Vec<u8>, Malformed> {
        let at = self.at;
        let length = usize::try_from(self.number(b':')?).map_err(|_| Malformed::Number(at))?;
        let end = self.at.checked_add(length).ok_or(Malformed::Truncated)?;
        let bytes = self.octets.get(self.at..end).ok_or(Malformed::Truncated)?.to_vec();
        self.at = end;
        Ok(bytes)
    }
}

impl Value {
    /// Appends the value.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Value::Integer(number) => {
                out.push(b'i');
                out.extend_from_slice(number.to_string().as_bytes());
                out.push(b'e');
            }
            Value::Bytes(bytes) => write_bytes(bytes, out),
            Value::List(list) => {
                out.push(b'l');
                list.iter().for_each(|value| value.write(out));
                out.push(b'e');
            }
            Value::Dictionary(dictionary) => {
                out.push(b'd');
                for (key, value) in dictionary {
                    write_bytes(key, out);
                    value.write(out);
                }
                out.push(b'e');
            }
        }
    }

    /// The octets of a byte string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A byte string that is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }

    /// A number.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Value::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The values of a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    /// A dictionary.
    pub fn as_dictionary(&self) -> Option<&Dictionary> {
        match self {
            Value::Dictionary(dictionary) => Some(dictionary),
            _ => None,
        }
    }

    /// The value of a key of a dictionary.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_dictionary()?.get(key.as_bytes())
    }
}

fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(bytes.len().to_string().as_bytes());
    out.push(b':');
    out.extend_from_slice(bytes);
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Bytes(text.as_bytes().to_vec())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Value::Bytes(bytes.to_vec())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Integer(number)
    }
}

#[cfg(test)]
#[path = "bencode_tests.rs"]
mod tests;
