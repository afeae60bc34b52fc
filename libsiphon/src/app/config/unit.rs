//! Durations and sizes as an operator writes them: a bare number in the unit of its key, or text with a unit.
//!
//! A key ending in `_ms` holds [`Millis`], any other duration [`Seconds`]; a key ending in `_bytes` holds
//! [`Bytes`]. `30`, `"30s"`, `1h30m`, `250ms`, `64KiB`, `1MB` are all accepted where they fit.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A duration whose bare number means seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Seconds(pub Duration);

/// A duration whose bare number means milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Millis(pub Duration);

/// A number of bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Bytes(pub u64);

impl Seconds {
    /// From whole seconds.
    pub const fn of(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }

    /// Whole seconds, rounded down, at most `u32::MAX`.
    pub fn whole(self) -> u32 {
        u32::try_from(self.0.as_secs()).unwrap_or(u32::MAX)
    }
}

impl Millis {
    /// From whole milliseconds.
    pub const fn of(n: u64) -> Self {
        Self(Duration::from_millis(n))
    }
}

impl Bytes {
    /// From kibibytes.
    pub const fn kib(n: u64) -> Self {
        Self(n * 1024)
    }

    /// As a size in memory.
    pub fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

const DURATION_UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

const SIZE_UNITS: [(&str, u64); 10] = [
    ("b", 1),
    ("k", 1024),
    ("kib", 1024),
    ("kb", 1000),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
];

/// Reads a duration; a bare number counts in `unit_micros`.
pub fn parse_duration(text: &str, unit_micros: u64) -> Option<Duration> {
    let text = text.trim();
    if let Some(n) = scaled(text, unit_micros) {
        return Some(Duration::from_micros(n));
    }
    let mut rest = text;
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (name, after) = after.split_at(letters);
        let (_, factor) = DURATION_UNITS.iter().find(|(unit, _)| *unit == name)?;
        total = total.checked_add(scaled(number, *factor)?)?;
        rest = after.trim_start();
    }
    (!text.is_empty()).then(|| Duration::from_micros(total))
}

/// Reads a size; a bare number counts bytes.
pub fn parse_size(text: &str) -> Option<u64> {
    let text = text.trim();
    if let Some(n) = scaled(text, 1) {
        return Some(n);
    }
    let digits = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, name) = text.split_at(digits);
    let name = name.trim().to_ascii_lowercase();
    let (_, factor) = SIZE_UNITS.iter().find(|(unit, _)| *unit == name)?;
    scaled(number, *factor)
}

/// A decimal number times `factor`; `None` unless digits with at most one point, or when it does not fit.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    if !whole.bytes().chain(fraction.bytes()).all(|c| c.is_ascii_digit()) {
        return None;
    }
    let scale = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = u128::from(fraction.parse::<u64>().ok()?).checked_mul(u128::from(factor))? / u128::from(scale);
    whole.parse::<u64>().ok()?.checked_mul(factor)?.checked_add(u64::try_from(part).ok()?)
}

/// The largest unit that divides it: `90s`, `5m`, `200ms`.
pub fn show_duration(duration: Duration) -> String {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    if micros == 0 {
        return "0s".to_owned();
    }
    let unit = DURATION_UNITS.iter().rev().find(|(_, factor)| micros.is_multiple_of(*factor));
    let (name, factor) = unit.unwrap_or(&("us", 1));
    format!("{}{name}", micros / factor)
}

/// The largest binary unit that divides it: `64KiB`, `1000`.
pub fn show_size(bytes: u64) -> String {
    [("GiB", 1u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        .iter()
        .find(|(_, factor)| bytes != 0 && bytes.is_multiple_of(*factor))
        .map_or_else(|| bytes.to_string(), |(name, factor)| format!("{}{name}", bytes / factor))
}

/// What the checker hands over is text already; a number comes from code that builds a value by hand.
#[derive(Deserialize)]
#[serde(untagged)]
enum Raw {
    Text(String),
    Number(u64),
}

impl Raw {
    fn read<'de, D: Deserializer<'de>>(d: D) -> Result<String, D::Error> {
        Ok(match Raw::deserialize(d)? {
            Raw::Text(text) => text,
            Raw::Number(n) => n.to_string(),
        })
    }
}

macro_rules! unit {
    ($name:ident, $kind:literal, $what:literal, $parse:expr, $show:expr) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&$show(self.0))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = Raw::read(d)?;
                $parse(&text).map($name).ok_or_else(|| serde::de::Error::custom($what))
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": ["string", "number"], "x-kind": $kind })
            }
        }
    };
}

unit!(
    Seconds,
    "seconds",
    "a duration in seconds, or with a unit (30s, 5m, 1h)",
    |t: &str| parse_duration(t, 1_000_000),
    show_duration
);
unit!(
    Millis,
    "millis",
    "a duration in milliseconds, or with a unit (200ms, 5s)",
    |t: &str| parse_duration(t, 1_000),
    show_duration
);
unit!(Bytes, "bytes", "a size in bytes, or with a unit (64KiB, 8MiB)", parse_size, show_size);
