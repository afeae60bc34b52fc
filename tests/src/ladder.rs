//! A ladder: what two phones and the proxy between them said, in the order of time.

use crate::peer::{Peer, Recorded};

const WIDTH: usize = 34;

/// Draws what `left` and `right` recorded; `note` may say something beside a message the proxy got.
pub fn draw(
    left: (&str, &Peer),
    middle: &str,
    right: (&str, &Peer),
    mut note: impl FnMut(&Recorded) -> Option<String>,
) -> String {
    let side = |peer: &Peer, on_left: bool| peer.record().into_iter().map(move |r| (r.at, on_left, r));
    let mut all: Vec<_> = side(left.1, true).chain(side(right.1, false)).collect();
    all.sort_by_key(|(at, ..)| *at);
    let Some(start) = all.first().map(|(at, ..)| *at) else { return String::new() };
    let mut out = format!("{:>9}  {:<WIDTH$}{:<WIDTH$}{}\n", "ms", left.0, middle, right.0);
    for (at, on_left, recorded) in &all {
        let arrow = arrow(&label(recorded), *on_left == recorded.sent);
        let (a, b) = if *on_left { (arrow.as_str(), "") } else { ("", arrow.as_str()) };
        let note = note(recorded).map(|text| format!("   {text}")).unwrap_or_default();
        let ms = (*at - start).as_secs_f64() * 1e3;
        let room = WIDTH - 1;
        out += format!("{ms:>9.1}  |{a:<room$}|{b:<room$}|{note}").trim_end();
        out += "\n";
    }
    out
}

fn label(recorded: &Recorded) -> String {
    let message = &recorded.message;
    if message.status() == 0 {
        let with =
            ["Authorization", "Proxy-Authorization"].into_iter().any(|name| !message.header(name).is_empty());
        format!("{}{}", message.method(), if with { " + digest" } else { "" })
    } else {
        message.start_line().trim_start_matches("SIP/2.0 ").to_owned()
    }
}

fn arrow(label: &str, to_the_right: bool) -> String {
    let room = WIDTH - 5 - label.chars().count().min(WIDTH - 6);
    let line = "-".repeat(room);
    let label: String = label.chars().take(WIDTH - 6).collect();
    if to_the_right { format!("- {label} {line}>") } else { format!("<- {label} {line}") }
}
