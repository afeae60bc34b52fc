//! One log record and how it looks.

use std::borrow::Cow;
use std::fmt::Write;

use crate::base::time::Instant;

/// How important a record is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Something failed.
    Error,
    /// An operator should look.
    Warn,
    /// The service's state changed.
    Info,
    /// Each message and decision.
    Debug,
    /// Everything.
    Trace,
}

impl Level {
    const fn name(self) -> &'static str {
        match self {
            Level::Error => "ERROR",
            Level::Warn => "WARN",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
            Level::Trace => "TRACE",
        }
    }

    const fn colour(self) -> &'static str {
        match self {
            Level::Error => "\x1b[31m",
            Level::Warn => "\x1b[33m",
            Level::Info => "\x1b[32m",
            Level::Debug => "\x1b[34m",
            Level::Trace => "\x1b[35m",
        }
    }
}

/// How a record looks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// For people.
    Pretty {
        /// Colour the level; for terminals.
        colour: bool,
    },
    /// One JSON object per line.
    Json,
}

/// One record.
#[derive(Clone, Debug)]
pub struct Record<'a> {
    /// When, if not now.
    pub at: Option<Instant>,
    /// How important.
    pub level: Level,
    /// Which part speaks: `siphon::app`, `script`.
    pub target: &'a str,
    /// What happened. May have several lines, and whatever a peer sent.
    pub text: Cow<'a, str>,
    /// Call-ID of the message it is about.
    pub call_id: Option<Cow<'a, str>>,
    /// Named values.
    pub fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl Record<'_> {
    pub(super) fn render(&self, at: Instant, format: Format, out: &mut String) {
        match format {
            Format::Pretty { colour } => self.pretty(at, colour, out),
            Format::Json => self.json(at, out),
        }
        out.push('\n');
    }

    fn pretty(&self, at: Instant, colour: bool, out: &mut String) {
        stamp(at, out);
        let (on, off) = if colour { (self.level.colour(), "\x1b[0m") } else { ("", "") };
        push(out, format_args!(" {on}{:5}{off} {}: ", self.level.name(), self.target));
        prose(&self.text, out);
        for (name, value) in self.call_id.iter().map(|v| ("call_id", v)).chain(self.named()) {
            out.push(' ');
            escape(name, out);
            out.push('=');
            let bare = !value.is_empty() && value.chars().all(|c| c.is_ascii_graphic() && c != '"');
            if bare {
                out.push_str(value);
            } else {
                out.push('"');
                for c in value.chars() {
                    match c {
                        '"' => out.push_str("\\\""),
                        c => escape_char(c, out),
                    }
                }
                out.push('"');
            }
        }
    }

    fn json(&self, at: Instant, out: &mut String) {
        out.push_str("{\"ts\":\"");
        stamp(at, out);
        push(out, format_args!("\",\"level\":\"{}\",\"target\":", self.level.name()));
        quote(self.target, out);
        out.push_str(",\"msg\":");
        quote(&self.text, out);
        if let Some(call_id) = &self.call_id {
            out.push_str(",\"call_id\":");
            quote(call_id, out);
        }
        // A field of a script must not stand in for one of ours: two keys of one name are read as one.
        let ours = ["ts", "level", "target", "msg", "call_id"];
        let mut written: Vec<&str> = Vec::with_capacity(self.fields.len());
        for (name, value) in self.named() {
            if written.contains(&name) {
                continue;
            }
            written.push(name);
            out.push(',');
            if ours.contains(&name) {
                quote(&format!("{name}_"), out)
            } else {
                quote(name, out)
            }
            out.push(':');
            quote(value, out);
        }
        out.push('}');
    }

    fn named(&self) -> impl Iterator<Item = (&str, &Cow<'_, str>)> {
        self.fields.iter().map(|(name, value)| (&**name, value))
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok(), "writing to a String succeeds");
}

/// RFC 3339 with microseconds, in UTC.
fn stamp(at: Instant, out: &mut String) {
    let micros = i64::try_from(at.0).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_microsecond(micros) {
        Ok(time) => push(out, format_args!("{}", time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"))),
        Err(_) => push(out, format_args!("{micros}us")),
    }
}

/// Text of a person's line: further lines are indented and marked, so none of them passes for a record.
fn prose(text: &str, out: &mut String) {
    for (index, line) in text.trim_end().split('\n').enumerate() {
        if index > 0 {
            out.push_str("\n    | ");
        }
        escape(line.strip_suffix('\r').unwrap_or(line), out);
    }
}

fn escape(text: &str, out: &mut String) {
    text.chars().for_each(|c| escape_char(c, out));
}

/// Control characters (C0, DEL, C1) and those that reorder or hide text become visible.
fn escape_char(c: char, out: &mut String) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if is_hidden(c) => push(out, format_args!("\\u{{{:x}}}", u32::from(c))),
        c => out.push(c),
    }
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A JSON string (RFC 8259 7).
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) => push(out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}
