//! The effective configuration with the origin of each value, as `--print-config` shows it.
//!
//! The output is YAML again; each value carries a comment that names the line, the variable or the default
//! it comes from. Secrets are masked by their own type.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use super::{Loaded, Source};

/// Writes every value of the configuration and where it comes from.
pub fn print<C: Serialize>(loaded: &Loaded<C>) -> String {
    let value = serde_json::to_value(&loaded.config).unwrap_or(Value::Null);
    let mut lines: Vec<(String, String)> = Vec::new();
    let printer = Printer { origin: &|path| origin(loaded, path) };
    printer.block(&value, "", 0, &mut lines);
    let width = lines.iter().map(|(text, _)| text.chars().count()).max().unwrap_or(0).min(56);
    let mut out = format!("# Effective configuration from {}.\n", loaded.name);
    for (text, origin) in lines {
        let written = if origin.is_empty() {
            writeln!(out, "{text}")
        } else {
            writeln!(out, "{text:width$}  # {origin}")
        };
        debug_assert!(written.is_ok(), "writing to a String succeeds");
    }
    out
}

fn origin<C>(loaded: &Loaded<C>, path: &str) -> String {
    let Some(origin) = loaded.origins.get(path) else { return "default".to_owned() };
    let place = format!("{}:{}", loaded.name, origin.mark.line);
    match &origin.source {
        None => place,
        Some(Source::Env(name)) => format!("{place}, environment variable {name}"),
        Some(Source::EnvDefault(name)) => format!("{place}, {name} is not set"),
        Some(Source::File(path)) => format!("{place}, file {path}"),
    }
}

struct Printer<'a> {
    origin: &'a dyn Fn(&str) -> String,
}

impl Printer<'_> {
    fn block(&self, value: &Value, path: &str, depth: usize, out: &mut Vec<(String, String)>) {
        let indent = "  ".repeat(depth);
        for (key, value) in value.as_object().into_iter().flatten() {
            let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let name = scalar(&Value::String(key.clone()));
            match value {
                Value::Object(map) if !map.is_empty() => {
                    out.push((format!("{indent}{name}:"), String::new()));
                    self.block(value, &below, depth + 1, out);
                }
                Value::Array(items) if !items.is_empty() => {
                    out.push((format!("{indent}{name}:"), String::new()));
                    self.list(items, &below, depth + 1, out);
                }
                _ => out.push((format!("{indent}{name}: {}", scalar(value)), (self.origin)(&below))),
            }
        }
    }

    fn list(&self, items: &[Value], path: &str, depth: usize, out: &mut Vec<(String, String)>) {
        let indent = "  ".repeat(depth);
        for (index, item) in items.iter().enumerate() {
            let below = format!("{path}[{index}]");
            // A list that is all default has no positions of its own to look up.
            let from = (self.origin)(&below);
            match item.as_object() {
                None => out.push((format!("{indent}- {}", scalar(item)), from)),
                // The short form of a listener serialises to its long one; its origin is the entry's.
                Some(map) => {
                    for (position, (key, value)) in map.iter().enumerate() {
                        let lead = if position == 0 { "- " } else { "  " };
                        let leaf = (self.origin)(&format!("{below}.{key}"));
                        let leaf = if leaf == "default" && map.len() == 1 { from.clone() } else { leaf };
                        out.push((format!("{indent}{lead}{key}: {}", scalar(value)), leaf));
                    }
                }
            }
        }
    }
}

/// A scalar, or an empty collection, as YAML; text is quoted unless it is plainly text.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
                && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
                    .contains(&text.to_ascii_lowercase().as_str());
            let unit = text.starts_with(|c: char| c.is_ascii_digit())
                && text.chars().all(|c| c.is_ascii_alphanumeric());
            if plain || unit { text.clone() } else { Value::String(text.clone()).to_string() }
        }
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        Value::Null => "null".to_owned(),
        other => other.to_string(),
    }
}
