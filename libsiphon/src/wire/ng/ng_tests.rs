use super::command::{Dtmf, PlaybackSource};
use super::reply::{self, Answer};
use super::*;
use crate::base::codec::Codec;
use crate::wire::bencode::{Limits, Value, parse};
use proptest::prelude::*;
use std::sync::Arc;

fn party() -> Party {
    Party {
        call_id: "c1@host".into(),
        from_tag: Some("a".into()),
        to_tag: Some("b".into()),
        via_branch: None,
    }
}

fn said(action: Action, party: Party) -> String {
    String::from_utf8(Command { party, action }.datagram("k-1")).unwrap()
}

fn negotiation(half: Half) -> Box<Negotiation> {
    let source = Some("192.0.2.7".parse().unwrap());
    Box::new(Negotiation { sdp: b"v=0\r\n".as_slice().into(), half: Arc::new(half), source })
}

#[test]
fn an_offer_is_a_cookie_and_a_dictionary_in_canonical_order() {
    let half = Half {
        transport_protocol: Some("RTP/SAVP".into()),
        replace: vec!["origin".into()],
        direction: vec!["inside".into(), "outside".into()],
        received_from: true,
        record_call: true,
        codecs: Codecs { strip: vec!["G729".into()], ..Codecs::default() },
        ..Half::default()
    };
    let text = said(Action::Offer(negotiation(half)), party());
    assert_eq!(
        text,
        "k-1 d7:call-id7:c1@host5:codecd5:stripl4:G729ee7:command5:offer9:directionl6:inside7:outsidee8:from-tag1:a\
         13:received froml3:IP49:192.0.2.7e11:record call3:yes7:replacel6:origine3:sdp5:v=0\r\n8:supportsl10:load limite\
         6:to-tag1:b18:transport protocol8:RTP/SAVPe"
    );
    assert!(!said(Action::Answer(negotiation(Half::default())), party()).contains("supports"));
}

#[test]
fn a_delete_names_the_whole_call_unless_a_branch_is_meant() {
    assert_eq!(said(Action::Delete, party()), "k-1 d7:call-id7:c1@host7:command6:delete12:delete delayi0ee");
    let branch = Party { via_branch: Some("z9".into()), ..party() };
    assert!(said(Action::Delete, branch).contains("10:via-branch2:z9"));
}

#[test]
fn every_command_has_its_name_and_its_own_keys() {
    let play = |source| Action::PlayMedia(Playback { source, repeat: Some(2) });
    let dtmf = Dtmf { code: '#', duration_ms: Some(300), volume: Some(9), pause_ms: None };
    let cases = [
        (Action::Ping, "k-1 d7:command4:pinge"),
        (Action::Query, "7:command5:query8:from-tag1:a"),
        (Action::BlockMedia, "7:command11:block media"),
        (Action::UnblockMedia, "7:command13:unblock media"),
        (Action::BlockDtmf, "7:command10:block DTMF"),
        (Action::UnblockDtmf, "7:command12:unblock DTMF"),
        (Action::SilenceMedia, "7:command13:silence media"),
        (Action::UnsilenceMedia, "7:command15:unsilence media"),
        (play(PlaybackSource::File("/a.wav".into())), "4:file6:/a.wav8:from-tag1:a12:repeat-timesi2e"),
        (play(PlaybackSource::Blob([1u8, 2].as_slice().into())), "4:blob2:\u{1}\u{2}"),
        (play(PlaybackSource::Database(7)), "5:db-idi7e"),
        (Action::StopMedia, "7:command10:stop media"),
        (Action::PlayDtmf(dtmf), "4:code1:#7:command9:play DTMF8:durationi300e"),
        (Action::StartRecording(Recording { path: Some("/r".into()) }), "18:output-destination2:/r"),
        (Action::StopRecording, "7:command14:stop recording"),
    ];
    for (action, part) in cases {
        let text = said(action, party());
        assert!(text.contains(part), "{text}");
        assert!(parse(&text.as_bytes()[4..], &Limits::default()).is_ok(), "{text}");
    }
}

#[test]
fn a_reply_is_done_full_or_an_error_and_anything_else_is_none() {
    let done = reply::read(b"k-1 d6:result2:ok3:sdp4:v=0\ne").unwrap();
    let (cookie, Answer::Done(document)) = done else { panic!("{done:?}") };
    assert_eq!(cookie, "k-1");
    assert_eq!(document.get(b"sdp".as_slice()), Some(&Value::from("v=0\n")));
    assert!(matches!(reply::read(b"k d6:result4:ponge"), Ok((_, Answer::Done(_)))));
    assert_eq!(reply::read(b"k d6:result10:load limite"), Ok(("k", Answer::LoadLimit)));
    let refused = reply::read(b"k d12:error-reason3:why6:result5:errore");
    assert_eq!(refused, Ok(("k", Answer::Error("why".into()))));
    let long = [vec![b'x'; 100], b" d6:result2:oke".to_vec()].concat();
    for bad in [
        &b""[..],
        b"k",
        b"k ",
        b"\xff d6:result2:oke",
        b"k l6:result2:oke",
        b"k d6:result3:yeae",
        b"k de",
        &long,
    ] {
        assert!(reply::read(bad).is_err(), "{}", String::from_utf8_lossy(bad));
    }
}

#[test]
fn totals_durations_and_warnings_are_read_from_a_reply() {
    let text = b"k d8:durationi1200e6:result2:ok6:totalsd3:RTPd5:bytesi17200e6:errorsi1e7:packetsi100eee7:warning3:odde";
    let Ok((_, Answer::Done(document))) = reply::read(text) else { panic!("no reply") };
    let reply = MediaReply::of(InstanceName::new("i:1"), document);
    assert_eq!(reply.totals(), Some(Totals { packets: 100, octets: 17_200, errors: 1 }));
    assert_eq!(
        (reply.integer("duration"), reply.warning(), reply.sdp.as_deref()),
        (Some(1200), Some("odd"), None)
    );
    assert!(MediaFault::Refused("Unknown call-ID".into()).is_unknown_call());
    assert!(!MediaFault::TimedOut.is_unknown_call());
}

#[test]
fn an_instance_is_named_the_same_after_it_was_encoded() {
    let name = InstanceName::new("[2001:db8::1]:22222");
    assert_eq!(InstanceName::from_bytes(&name.to_bytes()), Ok(name));
    assert!(InstanceName::from_bytes(&[9]).is_err());
}

proptest! {
    #[test]
    fn no_datagram_makes_reading_panic(octets in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = reply::read(&octets);
    }
}

/// Replies of Debian's rtpengine 10.5.3.5, cookie shortened: what fuzzing starts from.
#[test]
fn replies_of_a_real_engine_are_read_and_the_fuzz_target_holds_near_them() {
    let folder: std::path::PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "..", "fuzz", "corpus", "ng"].iter().collect();
    let mut done = 0;
    for entry in std::fs::read_dir(folder).expect("a corpus") {
        let mut bytes = std::fs::read(entry.expect("readable").path()).expect("a reply");
        done += usize::from(matches!(reply::read(&bytes), Ok((_, Answer::Done(_)))));
        fuzz_target::datagram(&bytes);
        for at in 0..bytes.len() {
            let before = bytes[at];
            for octet in [b'e', b'd', b'9', 0xff] {
                bytes[at] = octet;
                fuzz_target::datagram(&bytes);
            }
            bytes[at] = before;
            fuzz_target::datagram(&bytes[..at]);
        }
    }
    assert_eq!(done, 7, "pong, offer, answer, query, block, two deletes");
}
