//! Streams cut into messages, however they arrive.

use super::*;
use crate::wire::sip::{HeaderId, Method};

fn options(call: &str, body: &str) -> String {
    format!(
        "OPTIONS sip:b@h SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK{call}\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\n\
         Call-ID: {call}\r\nCSeq: 1 OPTIONS\r\nl: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Everything a stream holds when it arrives in pieces of `step` octets, told in words.
fn frames(stream: &[u8], step: usize, limits: &Limits) -> Vec<String> {
    let mut framer = StreamFramer::new(limits.clone());
    let mut seen = Vec::new();
    for piece in stream.chunks(step) {
        framer.feed(piece);
        while let Some(frame) = framer.next() {
            seen.push(match frame {
                Frame::Message(m) => format!("{} {} octets of body", m.call_id(), m.body().len()),
                Frame::Refused(r) => format!("refused {} {}", r.fault, r.message.is_some()),
                Frame::Ping => "ping".to_owned(),
                Frame::Pong => "pong".to_owned(),
                Frame::Fatal(r) => format!("fatal {} {}", r.fault, r.message.is_some()),
            });
        }
    }
    seen
}

#[test]
fn pipelined_messages_and_pings_come_out_alike_at_every_chunk_size() {
    let stream = [
        options("1", "abc"),
        "\r\n\r\n".to_owned(),
        options("2", ""),
        options("3", "\r\n\r\nx"),
        "\r\n".to_owned(),
        options("4", "").replace("From: <sip:a@h>;tag=1\r\n", ""),
        options("5", "y"),
    ]
    .concat();
    let whole = frames(stream.as_bytes(), stream.len(), &Limits::default());
    assert_eq!(
        whole,
        [
            "1 3 octets of body",
            "pong",
            "ping",
            "2 0 octets of body",
            "3 5 octets of body",
            "pong",
            "refused Missing From Header Field true",
            "5 1 octets of body"
        ]
    );
    for step in 1..stream.len() {
        assert_eq!(frames(stream.as_bytes(), step, &Limits::default()), whole, "in pieces of {step}");
    }
}

#[test]
fn what_follows_a_message_in_the_buffer_is_not_looked_at_for_it() {
    // One that is all text, one whose body is none, and another that is text: each is judged by itself.
    let mut stream = options("1", "text").into_bytes();
    stream.extend(options("2", "xy").into_bytes());
    let body = stream.len() - 2;
    stream[body..].copy_from_slice(b"\xff\xfe");
    stream.extend(options("3", "").into_bytes());
    for step in [1, stream.len()] {
        let mut framer = StreamFramer::new(Limits::default());
        let mut are_text = Vec::new();
        for piece in stream.chunks(step) {
            framer.feed(piece);
            while let Some(frame) = framer.next() {
                let Frame::Message(message) = frame else { panic!("{frame:?}") };
                are_text.push(message.is_text());
            }
        }
        assert_eq!(are_text, [true, false, true], "in pieces of {step}");
    }
}

#[test]
fn what_cannot_be_cut_ends_the_stream() {
    let limits = Limits { body: 100, header_section: 400, message: 450, ..Limits::default() };
    let next = options("next", "");
    for (bad, expected) in [
        (options("1", "").replace("l: 0\r\n", ""), "fatal Content-Length Required On A Stream true"),
        (
            options("1", "").replace("l: 0", "l: -1"),
            "fatal Bad Content-Length Header Field: not a number true",
        ),
        (options("1", "").replace("l: 0", "l: 0\r\nl: 5"), "fatal Repeated Content-Length Header Field true"),
        // The first fault is another one, and yet the length is not to be trusted.
        (
            options("1", "").replace("From: <sip:a@h>", "From: \"").replace("l: 0", "l: 0\r\nl: 5"),
            "fatal Repeated Content-Length Header Field true",
        ),
        (options("1", "").replace("l: 0", "l: 101"), "fatal Body Too Large: limit is 100 octets true"),
        (
            options("1", "").replace("l: 0", "l: 99999999999999999999"),
            "fatal Body Too Large: limit is 100 octets true",
        ),
        (
            options("1", "").replace("l: 0", "X: a\nl: 0\r\nl: 0"),
            "fatal Bad Line End: CR or LF alone in header section true",
        ),
        (
            options("1", "").replace("l: 0", &format!("X: {}\r\nl: 0", "x".repeat(400))),
            "fatal Header Section Too Large: limit is 400 octets true",
        ),
        (
            options("1", &"b".repeat(100)).replace("l: ", &format!("X: {}\r\nl: ", "x".repeat(230))),
            "fatal Message Too Large: limit is 450 octets true",
        ),
        ("\x16\x03\x01\x02\x00".to_owned(), "fatal Bad Start Line: neither request nor response false"),
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), "fatal Bad Start Line: no SIP version false"),
    ] {
        let stream = format!("{bad}{next}");
        for step in [1, 7, stream.len()] {
            assert_eq!(frames(stream.as_bytes(), step, &limits), [expected], "{bad:?} in pieces of {step}");
        }
    }
}

#[test]
fn a_body_that_is_too_long_is_refused_before_it_is_read() {
    let mut framer = StreamFramer::default();
    framer.feed(options("1", "").replace("l: 0", "l: 70000").as_bytes());
    let Some(Frame::Fatal(refused)) = framer.next() else { panic!("not refused") };
    assert_eq!(refused.fault.status(), 413);
    assert_eq!(refused.message.map(|m| m.call_id().to_owned()).as_deref(), Some("1"));
    framer.feed(&[b'x'; 70000]);
    assert_eq!((framer.held(), framer.next().is_none()), (0, true));
}

#[test]
fn a_header_section_without_end_is_not_held_beyond_its_limit() {
    let mut framer = StreamFramer::default();
    framer.feed(options("1", "").strip_suffix("l: 0\r\n\r\n").unwrap().as_bytes());
    let mut fed = 0;
    let fatal = loop {
        framer.feed(b"X-Fill: 0123456789\r\n");
        fed += 20;
        if let Some(frame) = framer.next() {
            break frame;
        }
        assert!(framer.held() <= Limits::default().header_section + 20);
    };
    assert!(fed >= 5000, "refused after {fed} octets");
    let Frame::Fatal(refused) = fatal else { panic!("{fatal:?}") };
    assert_eq!((refused.fault.status(), refused.message.is_some()), (513, true));
}

#[test]
fn an_octet_at_a_time_costs_no_more_than_linear_work() {
    // 64 KiB of one message in single octets: quadratic work would be four billion steps.
    let limits = Limits { message: 200_000, body: 150_000, ..Limits::default() };
    let stream = options("1", &"b".repeat(131_072));
    assert_eq!(frames(stream.as_bytes(), 1, &limits), ["1 131072 octets of body"]);
    let head = format!("X: {}\r\nl:", "x".repeat(32_000));
    let stream = options("1", "").replace("l:", &head);
    assert_eq!(frames(stream.as_bytes(), 1, &limits), ["1 0 octets of body"]);
}

#[test]
fn a_message_keeps_its_octets_and_frees_the_buffer() {
    let mut framer = StreamFramer::default();
    let text = options("1", "abc");
    framer.feed(text.as_bytes());
    let Some(Frame::Message(m)) = framer.next() else { panic!("no message") };
    assert_eq!(m.bytes(), text.as_bytes());
    assert_eq!((m.method(), m.header(HeaderId::ContentLength).as_deref()), (Method::Options, Some("3")));
    assert!(!framer.is_mid_message());
    framer.feed(b"OPT");
    assert!(framer.next().is_none() && framer.is_mid_message());
}
