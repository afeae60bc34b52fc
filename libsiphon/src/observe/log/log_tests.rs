//! What lines look like, and that nobody can forge one.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use tracing_subscriber::layer::SubscriberExt;

use super::{EventLog, Format, Level, Logger, Record, Sink, layer::LogLayer};
use crate::base::flow::{Flow, Transport};
use crate::base::time::Instant;
use crate::event::{Classes, Event, Kind};
use crate::observe::Observer;

#[derive(Default)]
struct Kept(Mutex<String>);

impl Sink for Kept {
    fn write(&self, line: &[u8]) {
        self.0.lock().expect("no test panics here").push_str(&String::from_utf8_lossy(line));
    }
}

impl Kept {
    fn text(&self) -> String {
        self.0.lock().expect("no test panics here").clone()
    }
}

fn clock() -> Instant {
    Instant(1_795_000_000_123_456)
}

fn log(level: Level, format: Format) -> (Arc<Logger>, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    (Logger::new(level, format, clock, kept.clone()), kept)
}

fn record<'a>(text: &'a str, fields: &[(&'a str, &'a str)]) -> Record<'a> {
    Record {
        at: None,
        level: Level::Info,
        target: "siphon::app",
        text: Cow::Borrowed(text),
        call_id: Some(Cow::Borrowed("a84b@pc33")),
        fields: fields.iter().map(|(n, v)| (Cow::Borrowed(*n), Cow::Borrowed(*v))).collect(),
    }
}

const PLAIN: Format = Format::Pretty { colour: false };

#[test]
fn a_line_has_time_level_target_text_call_id_and_fields() {
    let (logger, kept) = log(Level::Info, PLAIN);
    logger.write(&record("call began", &[("from", "alice"), ("to", "bob b"), ("empty", "")]));
    assert_eq!(
        kept.text(),
        "2026-11-18T11:06:40.123456Z INFO  siphon::app: call began call_id=a84b@pc33 from=alice to=\"bob b\" empty=\"\"\n"
    );
}

#[test]
fn a_json_line_has_the_same() {
    let (logger, kept) = log(Level::Info, Format::Json);
    logger.write(&record("call began", &[("from", "alice")]));
    assert_eq!(
        kept.text(),
        "{\"ts\":\"2026-11-18T11:06:40.123456Z\",\"level\":\"INFO\",\"target\":\"siphon::app\",\"msg\":\"call began\",\"call_id\":\"a84b@pc33\",\"from\":\"alice\"}\n"
    );
}

#[test]
fn control_characters_of_a_peer_reach_neither_terminal_nor_line_structure() {
    let hostile: String =
        (0u8..=0x1f).chain([0x7f]).map(char::from).chain(['\u{9b}', '\u{202e}', '"', '\\']).collect();
    for format in [PLAIN, Format::Json] {
        let (logger, kept) = log(Level::Info, format);
        logger.write(&record(&format!("x{hostile}y"), &[("agent", &hostile), (&hostile, "v")]));
        let page = kept.text();
        for line in page.lines().skip(1) {
            assert!(line.starts_with("    | "), "a forged line: {line:?}");
        }
        let controls: Vec<char> =
            page.chars().filter(|c| c.is_control() && *c != '\n' || *c == '\u{202e}').collect();
        assert_eq!(controls, [] as [char; 0], "{page:?}");
        if format == Format::Json {
            let value: serde_json::Value = serde_json::from_str(&page).expect("one JSON object");
            assert_eq!(value["agent"], hostile);
        }
    }
}

#[test]
fn a_traceback_is_indented_so_that_no_line_of_it_passes_for_a_record() {
    let (logger, kept) = log(Level::Info, PLAIN);
    logger.write(&record("ValueError: x\n2026-11-18T13:06:40Z ERROR forged\n", &[]));
    assert!(kept.text().contains("\n    | 2026-11-18T13:06:40Z ERROR forged call_id="), "{}", kept.text());
}

#[test]
fn a_field_cannot_stand_in_for_one_of_ours() {
    let (logger, kept) = log(Level::Info, Format::Json);
    logger.write(&record("text", &[("level", "DEBUG"), ("x", "1"), ("x", "2")]));
    let value: serde_json::Value = serde_json::from_str(&kept.text()).expect("one JSON object");
    assert_eq!(
        (&value["level"], &value["level_"], &value["x"]),
        (&"INFO".into(), &"DEBUG".into(), &"1".into())
    );
}

#[test]
fn the_level_changes_while_running() {
    let (logger, kept) = log(Level::Warn, PLAIN);
    logger.write(&record("no", &[]));
    logger.set_level(Level::Info);
    logger.write(&record("yes", &[]));
    assert!(!kept.text().contains("no") && kept.text().contains("yes"));
}

#[test]
fn tracing_events_carry_the_call_id_of_their_span() {
    let (logger, kept) = log(Level::Info, PLAIN);
    let subscriber = tracing_subscriber::registry().with(LogLayer::new(logger));
    tracing::subscriber::with_default(subscriber, || {
        let span = tracing::info_span!("call", call_id = "abc", leg = 1);
        let _inside = span.enter();
        tracing::info!(at_micros = 1_000_000u64, status = 200, "answered {}", "well");
        tracing::debug!("not at this level");
    });
    let module = module_path!();
    assert_eq!(
        kept.text(),
        format!("1970-01-01T00:00:01.000000Z INFO  {module}: answered well call_id=abc status=200 leg=1\n")
    );
}

fn refused(second: u64) -> Event {
    let address = std::net::SocketAddr::from(([192, 0, 2, 1], 5060));
    let flow = Flow { transport: Transport::Udp, local: address, remote: address, connection: None };
    let kind = Kind::Refused {
        flow,
        status: 400,
        answered: true,
        fault: "bad\r\nVia".into(),
        call_id: Some("c9".into()),
    };
    Event { at: Instant::from_unix_secs(second), shard: 1, kind }
}

#[test]
fn what_a_peer_can_provoke_is_rationed_and_counted() {
    let (logger, kept) = log(Level::Info, PLAIN);
    let mut log = EventLog::new(logger);
    for _ in 0..1_000 {
        log.see(&refused(10));
    }
    log.see(&refused(11));
    let page = kept.text();
    assert_eq!(page.lines().filter(|l| l.contains("refused a message")).count(), 21);
    assert!(page.contains("untold=980"), "{page}");
    assert!(page.contains("refused a message call_id=c9"), "{page}");
    assert!(page.contains(r#"fault="bad\r\nVia""#), "{page}");
}

#[test]
fn message_events_are_asked_for_only_when_they_would_be_written() {
    let (logger, kept) = log(Level::Info, PLAIN);
    let mut log = EventLog::new(logger.clone());
    assert!(!log.classes().contains(Classes::MESSAGES));
    logger.set_level(Level::Debug);
    assert!(log.classes().contains(Classes::MESSAGES));
    let bytes: Vec<u8> = b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x>\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n\r\n".to_vec();
    let Kind::Refused { flow, .. } = refused(1).kind else { unreachable!("made above") };
    let method = crate::wire::sip::Method::Options;
    let kind = Kind::Sent { egress: flow.back(), bytes: bytes.into(), status: 0, method };
    log.see(&Event { at: Instant::from_unix_secs(1), shard: 0, kind });
    assert!(
        kept.text().contains(
            "sent call_id=c1 shard=0 peer=192.0.2.1:5060 transport=udp line=\"OPTIONS sip:x SIP/2.0\""
        ),
        "{}",
        kept.text()
    );
}
