use super::{Engines, Fate, Manner};
use crate::base::time::{Duration, Instant};
use crate::wire::bencode::Value;
use crate::wire::ng::reply::{Answer, read};

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\nm=video 0 RTP/AVP 96\r\n";

fn say(
    engines: &mut Engines,
    cookie: u32,
    verb: &str,
    call_id: &str,
    more: &[(&str, &str)],
) -> Option<Answer> {
    let head = [("command", verb), ("call-id", call_id)];
    let entries = head.iter().chain(more).map(|(k, v)| (k.as_bytes().to_vec(), Value::from(*v)));
    let mut datagram = format!("{cookie} ").into_bytes();
    Value::Dictionary(entries.collect()).write(&mut datagram);
    match engines.receive("m:1", &datagram, Instant::EPOCH) {
        Fate::Replies(octets, _) => Some(read(&octets).unwrap().1),
        _ => None,
    }
}

fn sdp_of(answer: Option<Answer>) -> String {
    let Some(Answer::Done(document)) = answer else { panic!("{answer:?}") };
    document.get(b"sdp".as_slice()).and_then(Value::as_str).unwrap().to_owned()
}

#[test]
fn an_offer_is_rewritten_to_the_engine_and_closed_media_stay_closed() {
    let mut engines = Engines::default();
    engines.add("m:1");
    let more = [("from-tag", "a"), ("sdp", OFFER), ("transport protocol", "RTP/SAVP")];
    let sdp = sdp_of(say(&mut engines, 1, "offer", "c", &more));
    assert_eq!(
        sdp,
        "v=0\r\no=- 1 1 IN IP4 198.18.1.1\r\ns=-\r\nc=IN IP4 198.18.1.1\r\nt=0 0\r\nm=audio 30000 RTP/SAVP 8\r\n\
         a=rtpmap:8 PCMA/8000\r\nm=video 0 RTP/AVP 96\r\n"
    );
    let again = sdp_of(say(&mut engines, 1, "offer", "c", &more));
    assert_eq!(
        (again, engines.get("m:1").unwrap().heard().len()),
        (sdp, 1),
        "the same cookie, the same reply"
    );
}

#[test]
fn sessions_are_there_from_the_offer_to_the_delete() {
    let mut engines = Engines::default();
    engines.add("m:1");
    let unknown = Some(Answer::Error("Unknown call-id".into()));
    let answer = [("from-tag", "a"), ("to-tag", "b"), ("sdp", OFFER)];
    assert_eq!(say(&mut engines, 1, "answer", "c", &answer), unknown);
    assert_eq!(say(&mut engines, 2, "query", "c", &[]), unknown);
    say(&mut engines, 3, "offer", "c", &[("from-tag", "a"), ("sdp", OFFER)]);
    say(&mut engines, 4, "answer", "c", &answer);
    say(&mut engines, 5, "block media", "c", &[("from-tag", "b")]);
    {
        let (_, session) = engines.sessions().next().unwrap();
        assert_eq!((session.tags.len(), session.ports.len(), session.answered), (2, 2, true));
        assert!(session.blocked.contains("b"));
    }
    let Some(Answer::Done(_)) = say(&mut engines, 6, "delete", "c", &[]) else { panic!("not deleted") };
    assert_eq!(engines.sessions().count(), 0);
}

#[test]
fn an_engine_is_dead_deaf_full_or_forgetful_when_told_so() {
    let mut engines = Engines::default();
    engines.add("m:1");
    let offer = [("from-tag", "a"), ("sdp", OFFER)];
    say(&mut engines, 1, "offer", "c", &offer);
    let engine = engines.get("m:1").unwrap();
    engine.manner = Manner::Full;
    assert_eq!(say(&mut engines, 2, "offer", "d", &offer), Some(Answer::LoadLimit));
    assert!(
        matches!(say(&mut engines, 3, "offer", "c", &offer), Some(Answer::Done(_))),
        "a call that it has"
    );
    engines.get("m:1").unwrap().manner = Manner::Deaf;
    assert_eq!(say(&mut engines, 4, "offer", "d", &offer), None);
    engines.get("m:1").unwrap().manner = Manner::Slow(Duration::from_secs(2));
    assert!(
        matches!(engines.receive("m:1", b"9 d7:command4:pinge", Instant::EPOCH), Fate::Replies(_, d) if d.as_secs() == 2)
    );
    engines.get("m:1").unwrap().kill();
    assert!(matches!(engines.receive("m:1", b"1 de", Instant::EPOCH), Fate::Unreachable));
    assert!(matches!(engines.receive("elsewhere:1", b"1 de", Instant::EPOCH), Fate::Unreachable));
    assert_eq!(engines.sessions().count(), 0);
    engines.get("m:1").unwrap().revive();
    assert_eq!(say(&mut engines, 1, "answer", "c", &offer), Some(Answer::Error("Unknown call-id".into())));
}
