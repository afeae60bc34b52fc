//! The log as a message ladder: a column for each host, an arrow for each message.

use crate::sim::log::{Entry, Log, What};
use crate::sim::reading::Reading;
use crate::sim::wire::START;
use std::fmt::Write;

/// Between two columns.
const WIDTH: usize = 34;

/// Draws what bears one of `call_ids`; everything when there is none.
pub fn ladder(log: &Log, call_ids: &[&str]) -> String {
    ladder_from(log, call_ids, 0)
}

/// The same from entry `first` on.
pub fn ladder_from(log: &Log, call_ids: &[&str], first: usize) -> String {
    let wanted = |e: &&Entry| {
        let call_id = Reading::of(&e.bytes).map(|r| r.call_id().to_owned());
        call_ids.is_empty() || call_id.is_some_and(|c| call_ids.contains(&c.as_str()))
    };
    let entries: Vec<&Entry> = log.entries().iter().skip(first).filter(wanted).collect();
    let mut columns: Vec<String> = Vec::new();
    for entry in &entries {
        for address in [entry.from, entry.to] {
            let name = log.name_of(address);
            if !columns.contains(&name) {
                columns.push(name);
            }
        }
    }
    let mut text = String::from("      time  ");
    for name in &columns {
        let _ = write!(text, "{name:<WIDTH$}");
    }
    text.push('\n');
    for entry in entries {
        line(log, entry, &columns, &mut text);
    }
    text
}

fn line(log: &Log, entry: &Entry, columns: &[String], text: &mut String) {
    let place = |name: String| columns.iter().position(|c| *c == name).unwrap_or(0);
    let (from, to) = (place(log.name_of(entry.from)), place(log.name_of(entry.to)));
    let (left, right) = (from.min(to), from.max(to));
    let mut label = label(entry);
    let span = (right - left).max(1) * WIDTH - 3;
    label.truncate(span.saturating_sub(2));
    let dashes = span.saturating_sub(label.len() + 1);
    let arrow = match (from <= to, entry.what) {
        (_, What::Note) => format!("({label})"),
        (true, What::Lost) => format!("-{label}{}x", "-".repeat(dashes.saturating_sub(1))),
        (true, _) => format!("-{label}{}>", "-".repeat(dashes.saturating_sub(1))),
        (false, What::Lost) => format!("x-{label}{}", "-".repeat(dashes.saturating_sub(1))),
        (false, _) => format!("<-{label}{}", "-".repeat(dashes.saturating_sub(1))),
    };
    let time = entry.at.since(START).as_secs_f64();
    let mut rails = String::new();
    for _ in 0..left {
        let _ = write!(rails, "{:<WIDTH$}", "|");
    }
    let _ = writeln!(text, "{time:>10.4}  {rails}|{arrow}|");
}

/// `INVITE bob (1)`, `200 INVITE (1)`, or what a note says.
fn label(entry: &Entry) -> String {
    match Reading::of(&entry.bytes) {
        Some(r) if r.is_request() => format!("{} {} ({})", r.method(), r.uri(), r.cseq().0),
        Some(r) => format!("{} {} ({})", r.status(), r.method(), r.cseq().0),
        None => String::from_utf8_lossy(&entry.bytes).chars().filter(|c| !c.is_control()).take(40).collect(),
    }
}
