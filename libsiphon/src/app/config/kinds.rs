//! Scalar kinds that JSON Schema has no word for, checked here with a message an operator can act on.
//!
//! A schema names one by `x-kind`; `x-min` and `x-max` bound durations and sizes, written with their units.

use serde_json::Value;

use super::address::{Endpoint, HostPort, Nameserver};
use super::unit::{parse_duration, parse_size};

/// Why a scalar was refused.
pub(super) struct Refused {
    /// What was expected and what came.
    pub what: String,
    /// What would be right.
    pub help: Option<String>,
}

/// What a kind wants, for "expected …".
pub(super) fn what(kind: &str) -> &'static str {
    match kind {
        "seconds" => "a duration in seconds, or with a unit (30s, 5m, 1h)",
        "millis" => "a duration in milliseconds, or with a unit (200ms, 5s)",
        "bytes" => "a size in bytes, or with a unit (64KiB, 8MiB)",
        "secret" => "text",
        "endpoint" => "an IP address and a port (0.0.0.0:5060, [::]:5060)",
        "hostport" => "a host name or IP address, with or without a port",
        "http-path" => "a path that begins with `/` and has letters, digits and `/._-`",
        "nameserver" => "an IP address, with or without a port",
        _ => "text",
    }
}

/// Checks `text` as `kind`.
pub(super) fn accept(kind: &str, text: &str, schema: &Value) -> Result<(), Refused> {
    let fits = match kind {
        "seconds" => return bounded(kind, text, schema, |t| micros(t, 1_000_000)),
        "millis" => return bounded(kind, text, schema, |t| micros(t, 1_000)),
        "bytes" => return bounded(kind, text, schema, parse_size),
        "secret" if text.is_empty() => {
            return Err(Refused { what: "must not be empty".to_owned(), help: None });
        }
        "secret" => match schema.get("x-hex").and_then(Value::as_u64) {
            Some(digits) => {
                let hex = text.bytes().all(|c| c.is_ascii_hexdigit());
                if !hex || u64::try_from(text.len()) != Ok(digits) {
                    return Err(Refused {
                        what: format!("expected {digits} hexadecimal digits"),
                        help: None,
                    });
                }
                true
            }
            None => true,
        },
        "endpoint" => text.parse::<Endpoint>().is_ok(),
        "hostport" => text.parse::<HostPort>().is_ok(),
        "http-path" => {
            text.starts_with('/') && text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c))
        }
        "nameserver" => text.parse::<Nameserver>().is_ok(),
        _ => true,
    };
    if fits {
        return Ok(());
    }
    let help = (kind == "endpoint").then(|| endpoint_help(text)).flatten();
    Err(Refused { what: format!("expected {}, got {:?}", what(kind), super::tree::shorten(text)), help })
}

fn micros(text: &str, unit: u64) -> Option<u64> {
    u64::try_from(parse_duration(text, unit)?.as_micros()).ok()
}

fn bounded(
    kind: &str,
    text: &str,
    schema: &Value,
    read: impl Fn(&str) -> Option<u64>,
) -> Result<(), Refused> {
    let limit = |name: &str| schema.get(name).and_then(Value::as_str);
    let Some(n) = read(text) else {
        return Err(Refused {
            what: format!("expected {}, got {:?}", what(kind), super::tree::shorten(text)),
            help: None,
        });
    };
    let low = limit("x-min").and_then(&read).unwrap_or(0);
    let high = limit("x-max").and_then(&read).unwrap_or(u64::MAX);
    if (low..=high).contains(&n) {
        return Ok(());
    }
    let range = match (limit("x-min"), limit("x-max")) {
        (Some(low), Some(high)) => format!("must be from {low} to {high}"),
        (Some(low), None) => format!("must be at least {low}"),
        (None, Some(high)) => format!("must be at most {high}"),
        (None, None) => "does not fit".to_owned(),
    };
    Err(Refused { what: format!("{range}, got {:?}", super::tree::shorten(text)), help: None })
}

fn endpoint_help(text: &str) -> Option<String> {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return Some(if text.contains(':') {
            format!("write `[{text}]:5060`")
        } else {
            format!("write `{text}:5060`")
        });
    }
    if let Some(port) = text.strip_prefix(':').or_else(|| text.strip_prefix("*:")) {
        return Some(format!("for every address write `0.0.0.0:{port}`"));
    }
    text.parse::<u16>().is_ok().then(|| format!("for every address write `0.0.0.0:{text}`"))
}

/// The bounds of an integer.
pub(super) fn range(schema: &Value) -> (u64, u64) {
    let number =
        |name: &str| schema.get(name).and_then(|v| v.as_u64().or_else(|| v.as_f64().map(|f| f as u64)));
    let top = match schema.get("format").and_then(Value::as_str) {
        Some("uint8") => u64::from(u8::MAX),
        Some("uint16") => u64::from(u16::MAX),
        Some("uint32") => u64::from(u32::MAX),
        _ => u64::MAX,
    };
    (number("minimum").unwrap_or(0), number("maximum").unwrap_or(top))
}

/// The bounds of a number that may have a fraction.
pub(super) fn float_range(schema: &Value) -> (f64, f64) {
    let number = |name: &str| schema.get(name).and_then(Value::as_f64);
    (number("minimum").unwrap_or(f64::MIN), number("maximum").unwrap_or(f64::MAX))
}

/// "a whole number from 1 to 64".
pub(super) fn integer(low: u64, high: u64) -> String {
    match high {
        u64::MAX => format!("a whole number of at least {low}"),
        _ => format!("a whole number from {low} to {high}"),
    }
}
