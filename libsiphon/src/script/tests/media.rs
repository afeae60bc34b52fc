//! `rtpengine` in proxy scripts: what is asked of the engine, and what becomes of its answers.

use super::fixture::{Rig, flow, load, message, question, response};
use super::verdicts::invite;
use crate::policy::{Decision, Outcome, Question, QuestionKind, Ticket, Verdict};
use crate::proto::media::{Desk, Profiles};
use crate::script::LogLevel;
use crate::wire::bencode::{Dictionary, Value};
use crate::wire::ng::{Action, InstanceName, MediaFault, MediaReply, MediaRequest};
use crate::wire::sip::{Message, Splice};
use std::sync::Arc;

const SDP: &str =
    "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";

/// A node with one engine, whose script answers a request with `body`.
fn rig(body: &str) -> Rig {
    let rig = load(&script(body));
    *rig.node.media.lock().unwrap() = Some(Arc::new(Desk::new(Profiles::default(), 2)));
    rig
}

fn script(body: &str) -> String {
    let body = body.trim_matches('\n').lines().map(|l| format!("    {l}\n")).collect::<String>();
    format!(
        "from siphon import proxy, rtpengine, timer, log, MediaError\nimport sys\n@proxy.on_request\nasync def route(request):\n{body}"
    )
}

fn with_sdp(method: &str, to_tag: &str) -> Message {
    message(&format!(
        "{method} sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nMax-Forwards: 70\n\
         From: <sip:alice@example.com>;tag=a1\nTo: <sip:bob@example.com>{to_tag}\nCall-ID: call-1@host\n\
         CSeq: 1 {method}\nContent-Type: application/sdp\n\n{}",
        SDP.replace("\r\n", "\n")
    ))
}

impl Rig {
    fn asked(&mut self) -> MediaRequest {
        self.media
            .last()
            .map(|(_, request)| request.clone())
            .unwrap_or_else(|| panic!("nothing asked: {:#?}", self.log()))
    }

    /// The engine answers what was asked last.
    fn done(&mut self, fields: &[(&str, Value)]) {
        let entries = fields.iter().map(|(k, v)| (k.as_bytes().to_vec(), v.clone()));
        let reply = MediaReply::of(InstanceName::new("m:1"), entries.collect::<Dictionary>());
        self.answer(Ok(reply));
    }

    fn answer(&mut self, result: Result<MediaReply, MediaFault>) {
        let (wait, _) = self.media.pop().expect("something was asked");
        self.resume(wait.expect("somebody waits"), Outcome::Media(Box::new(result)));
    }

    fn verdict(&mut self) -> Verdict {
        self.verdicts.pop().unwrap_or_else(|| panic!("no verdict; log: {:#?}", self.log())).1
    }

    fn desk(&self) -> Arc<Desk> {
        self.node.media.lock().unwrap().clone().unwrap()
    }
}

fn rewritten() -> Value {
    Value::from(SDP.replace("10.0.0.9", "198.18.1.1").as_str())
}

fn code(verdict: &Verdict) -> u16 {
    match &verdict.decision {
        Some(Decision::Reply(spec)) => spec.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_offer_replaces_the_sdp_and_the_call_is_remembered_with_its_instance() {
    let mut rig = rig(
        "assert await rtpengine.offer(request) is True\nassert rtpengine.active_sessions == 1 and rtpengine.instance_count == 2\nrequest.relay()",
    );
    rig.begin(question(&with_sdp("INVITE", "")));
    let MediaRequest { command, at } = rig.asked();
    assert_eq!(
        (&*command.party.call_id, command.party.from_tag.as_deref(), at),
        ("call-1@host", Some("a1"), None)
    );
    let Action::Offer(negotiation) = &command.action else { panic!("{command:?}") };
    assert_eq!((&*negotiation.sdp, negotiation.source), (SDP.as_bytes(), Some(flow().remote.ip())));
    rig.done(&[("sdp", rewritten())]);
    let verdict = rig.verdict();
    let text = String::from_utf8(verdict.message.expect("edited").bytes().to_vec()).unwrap();
    assert!(
        text.contains("Content-Type: application/sdp\r\n") && text.contains("c=IN IP4 198.18.1.1"),
        "{text}"
    );
    assert_eq!(&*rig.desk().kept("call-1@host").unwrap().instance.0, "m:1");
}

#[test]
fn an_answer_names_both_tags_goes_to_the_instance_of_the_offer_and_takes_its_profile() {
    let text = "from siphon import proxy, rtpengine\n@proxy.on_request\nasync def f(request):\n    await rtpengine.offer(request, 'srtp_to_rtp')\n    request.relay()\n@proxy.on_reply\nasync def g(request, reply):\n    await rtpengine.answer(reply)\n";
    let mut rig = load(text);
    *rig.node.media.lock().unwrap() = Some(Arc::new(Desk::new(Profiles::default(), 1)));
    let invite = with_sdp("INVITE", "");
    rig.begin(question(&invite));
    rig.done(&[("sdp", rewritten())]);
    let keep = rig.verdict().keep;
    let answer = response(&invite, "200 OK");
    let edit = |s: &mut Splice<'_>| s.set_body(Some("application/sdp"), SDP.as_bytes()).map(drop);
    let answer = crate::script::edits::splice(&answer, edit).unwrap();
    let kind = QuestionKind::Reply { reply: answer, flow: flow() };
    rig.begin(Question { kind, keep, ..question(&invite) });
    let MediaRequest { command, at } = rig.asked();
    assert_eq!(
        (command.party.from_tag.as_deref(), command.party.to_tag.as_deref()),
        (Some("a1"), Some("b1"))
    );
    assert_eq!(at, Some(InstanceName::new("m:1")));
    let Action::Answer(negotiation) = &command.action else { panic!("{command:?}") };
    assert_eq!(negotiation.half.transport_protocol.as_deref(), Some("RTP/SAVP"));
    rig.done(&[("sdp", rewritten())]);
    let message = rig.verdict().message.expect("edited");
    assert!(String::from_utf8_lossy(message.body()).contains("198.18.1.1"));
}

#[test]
fn an_offer_of_the_callee_goes_the_other_way() {
    let mut rig = rig("await rtpengine.offer(request, 'rtp_to_srtp')\nrequest.relay()");
    rig.begin(question(&with_sdp("INVITE", "")));
    rig.done(&[("sdp", rewritten())]);
    let back = message(&format!(
        "INVITE sip:alice@example.com SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK2\nMax-Forwards: 70\n\
         From: <sip:bob@example.com>;tag=b1\nTo: <sip:alice@example.com>;tag=a1\nCall-ID: call-1@host\n\
         CSeq: 7 INVITE\nContent-Type: application/sdp\n\n{}",
        SDP.replace("\r\n", "\n")
    ));
    rig.begin(question(&back));
    let command = rig.asked().command;
    assert_eq!(
        (command.party.from_tag.as_deref(), command.party.to_tag.as_deref()),
        (Some("b1"), Some("a1"))
    );
    let Action::Offer(negotiation) = &command.action else { panic!("{command:?}") };
    assert_eq!(negotiation.half.transport_protocol.as_deref(), Some("RTP/AVP"));
}

#[test]
fn without_an_sdp_nothing_is_asked_and_the_result_is_false() {
    let mut rig = rig("assert await rtpengine.offer(request) is False\nrequest.reply(200)");
    assert_eq!(rig.replied(&invite()), 200);
    assert!(rig.media.is_empty());
}

#[test]
fn a_fault_of_the_engine_is_a_media_error_which_uncaught_is_500() {
    let mut rig = rig(
        "try:\n    await rtpengine.offer(request)\nexcept MediaError as e:\n    log.info(str(e))\n    request.reply(503)",
    );
    rig.begin(question(&with_sdp("INVITE", "")));
    rig.answer(Err(MediaFault::TimedOut));
    assert_eq!(code(&rig.verdict()), 503);
    assert_eq!(rig.logged(LogLevel::Info), ["the media engine did not answer in time"]);
    let mut uncaught = self::rig("await rtpengine.offer(request)\nrequest.relay()");
    uncaught.begin(question(&with_sdp("INVITE", "")));
    uncaught.answer(Err(MediaFault::Down));
    assert!(
        matches!(uncaught.verdict().decision, Some(Decision::Failed(text)) if text.contains("MediaError"))
    );
}

#[test]
fn a_delete_is_no_error_twice_nor_with_a_dead_engine() {
    let mut rig = rig("log.info(str(await rtpengine.delete(request)))\nrequest.relay()");
    rig.desk().keep(&"call-1@host".into(), kept());
    let bye = message(
        "BYE sip:b@example.com SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: <sip:b@b>;tag=b1\nTo: <sip:a@a>;tag=a1\nCall-ID: call-1@host\nCSeq: 2 BYE",
    );
    rig.begin(question(&bye));
    assert_eq!(rig.asked().at, Some(InstanceName::new("m:1")));
    rig.done(&[]);
    assert!(matches!(rig.verdict().decision, Some(Decision::Relay(_))));
    assert_eq!(rig.desk().active(), 0);
    rig.begin(question(&bye));
    rig.done(&[("warning", Value::from("Call-ID not found or tags didn't match"))]);
    rig.begin(question(&bye));
    rig.answer(Err(MediaFault::TimedOut));
    let told = rig.logged(LogLevel::Info);
    assert_eq!(
        told,
        ["True", "False", "rtpengine.delete(): the media engine did not answer in time", "False"]
    );
}

fn kept() -> crate::proto::media::Kept {
    crate::proto::media::Kept {
        instance: InstanceName::new("m:1"),
        profile: "auto".into(),
        caller: "a1".into(),
    }
}

/// What a request is asked with, and what the script makes of `fields` or a fault.
fn verb(call: &str, answer: Result<&[(&str, Value)], MediaFault>) -> (Action, String) {
    let mut rig = rig(&format!("log.info(repr(await rtpengine.{call}))\nrequest.reply(200)"));
    rig.begin(question(&with_sdp("INVITE", "")));
    let action = rig.asked().command.action;
    match answer {
        Ok(fields) => rig.done(fields),
        Err(fault) => rig.answer(Err(fault)),
    }
    (action, rig.logged(LogLevel::Info).join("\n"))
}

#[test]
fn media_are_blocked_silenced_played_and_recorded_for_the_sender_of_the_message() {
    for (call, wire) in [
        ("block_media(request)", "block media"),
        ("unblock_media(request)", "unblock media"),
        ("silence_media(request)", "silence media"),
        ("unsilence_media(request)", "unsilence media"),
        ("stop_media(request)", "stop media"),
        ("start_recording(request, path='/r.wav')", "start recording"),
        ("stop_recording(request)", "stop recording"),
        ("play_dtmf(request, 'a', duration_ms=200, volume_dbm0=-9, pause_ms=150)", "play DTMF"),
    ] {
        let (action, told) = verb(call, Ok(&[]));
        assert_eq!((action.verb(), told.as_str()), (wire, "True"));
        let (_, told) = verb(call, Err(MediaFault::Refused("Unknown call-id".into())));
        assert_eq!(told, "False", "{call}");
    }
    let (action, told) =
        verb("play_media(request, file='/a.wav', repeat=2)", Ok(&[("duration", Value::Integer(1200))]));
    assert_eq!((action.verb(), told.as_str()), ("play media", "1200"));
    let (_, told) = verb("play_media(request, blob=b'RIFF')", Ok(&[]));
    assert_eq!(told, "None");
}

#[test]
fn a_call_is_queried_and_an_engine_pinged() {
    let totals = Value::Dictionary(Dictionary::from([(b"packets".to_vec(), Value::Integer(7))]));
    let list = Value::List(vec![Value::from("x")]);
    let (_, told) = verb("query(request)", Ok(&[("totals", totals), ("flags", list)]));
    assert_eq!(told, "{'flags': ['x'], 'totals': {'packets': 7}}");
    assert_eq!(verb("query(request)", Err(MediaFault::Refused("Unknown call-id".into()))).1, "None");
    assert_eq!(verb("ping()", Ok(&[])).1, "True");
    assert_eq!(verb("ping()", Err(MediaFault::Down)).1, "False");
}

#[test]
fn wrong_use_raises_before_anything_is_asked() {
    let mut rig = rig(
        "def wrong(kind, *args, **more):\n    try:\n        args[0](*args[1:], **more)\n    except kind as e:\n        log.info(str(e))\n    else:\n        log.error('accepted')\nwrong(ValueError, rtpengine.offer, request, 'nonsense')\nwrong(TypeError, rtpengine.offer, 'text')\nwrong(ValueError, rtpengine.play_media, request)\nwrong(ValueError, rtpengine.play_dtmf, request, '12')\nwrong(TypeError, bool, rtpengine.ping())\nwrong(AttributeError, getattr, rtpengine, 'answer_local')\nrequest.relay()\nawait timer.sleep(0.001)\nwrong(RuntimeError, rtpengine.offer, request)",
    );
    rig.begin(question(&with_sdp("INVITE", "")));
    rig.pass(1);
    let told = rig.logged(LogLevel::Info);
    assert!(
        told[0].contains("no media profile \"nonsense\"") && told[0].contains("webrtc_to_rtp"),
        "{told:?}"
    );
    assert!(told[1].contains("a Request or a Reply, not str"), "{told:?}");
    assert!(told[4].contains("rtpengine.ping() has no truth value: await it"), "{told:?}");
    assert!(told[5].contains("not in this version"), "{told:?}");
    assert!(told[6].contains("relayed already"), "{told:?}");
    assert_eq!((told.len(), rig.media.len()), (7, 0), "{told:?}");
}

#[test]
fn without_media_in_the_yaml_it_raises_and_names_the_key() {
    let mut rig = load(&script(
        "assert rtpengine.active_sessions == rtpengine.instance_count == 0\ntry:\n    await rtpengine.offer(request)\nexcept RuntimeError as e:\n    log.info(str(e))\nrequest.reply(200)",
    ));
    assert_eq!(rig.replied(&with_sdp("INVITE", "")), 200);
    assert!(rig.logged(LogLevel::Info)[0].contains("`media.rtpengine.address`"));
}

#[test]
fn what_the_offer_of_a_cancelled_call_made_is_deleted_when_it_comes() {
    let mut rig = rig("await rtpengine.offer(request)\nrequest.relay()");
    let ticket: Ticket = rig.begin(question(&with_sdp("INVITE", "")));
    let (wait, _) = rig.media.pop().unwrap();
    rig.withdraw(ticket);
    assert!(rig.media.is_empty());
    let entries = Dictionary::from([(b"sdp".to_vec(), rewritten())]);
    let reply = MediaReply::of(InstanceName::new("m:1"), entries);
    rig.resume(wait.unwrap(), Outcome::Media(Box::new(Ok(reply))));
    let (wait, request) = rig.media.pop().expect("it is deleted");
    assert_eq!(
        (wait, request.command.action, request.at),
        (None, Action::Delete, Some(InstanceName::new("m:1")))
    );
    assert_eq!(rig.desk().active(), 0);
}

#[test]
fn a_handler_on_the_asyncio_loop_awaits_it_too_and_gets_its_exception() {
    let text = "import asyncio\nfrom siphon import proxy, rtpengine, MediaError\n@proxy.on_request\nasync def f(request):\n    await asyncio.sleep(0)\n    await rtpengine.offer(request)\n    try:\n        await rtpengine.query(request)\n    except MediaError:\n        request.reply(503)\n";
    let mut rig = load(text);
    *rig.node.media.lock().unwrap() = Some(Arc::new(Desk::new(Profiles::default(), 1)));
    rig.begin(question(&with_sdp("INVITE", "")));
    for fields in [Ok(()), Err(MediaFault::TimedOut)] {
        for _ in 0..1000 {
            rig.pass(0);
            if !rig.media.is_empty() {
                break;
            }
            rig.await_bell();
        }
        match fields {
            Ok(()) => rig.done(&[("sdp", rewritten())]),
            Err(fault) => rig.answer(Err(fault)),
        }
    }
    for _ in 0..1000 {
        rig.pass(0);
        if rig.verdicts.iter().any(|(_, v)| v.finished) {
            break;
        }
        rig.await_bell();
    }
    assert_eq!(code(&rig.verdict()), 503);
}

#[test]
fn a_plain_def_waits_for_it_in_the_lane() {
    let text = "from siphon import proxy, rtpengine\n@proxy.on_request\ndef f(request):\n    rtpengine.offer(request)\n    request.relay()\n";
    let mut rig = load(text);
    *rig.node.media.lock().unwrap() = Some(Arc::new(Desk::new(Profiles::default(), 1)));
    rig.begin(question(&with_sdp("INVITE", "")));
    for _ in 0..1000 {
        rig.pass(0);
        if !rig.media.is_empty() {
            break;
        }
        rig.await_bell();
    }
    rig.done(&[("sdp", rewritten())]);
    rig.await_verdicts(1);
    assert!(rig.verdict().message.is_some_and(|m| String::from_utf8_lossy(m.body()).contains("198.18.1.1")));
}
