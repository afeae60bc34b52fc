//! Answers are held to RFC 3264.

use super::*;

fn parsed(text: &str) -> Sdp {
    Sdp::parse(text.as_bytes()).expect("a description")
}

fn sdp(media: &str) -> Sdp {
    parsed(&format!("v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n{media}"))
}

fn check(offer: &str, answer: &str) -> Result<(), AnswerFault> {
    check_answer(&sdp(offer), &sdp(answer))
}

const AUDIO: &str = "m=audio 4000 RTP/AVP 0 8 96\r\na=rtpmap:96 opus/48000/2\r\n";
const VIDEO: &str = "m=video 4002 RTP/AVP 31\r\n";

#[test]
fn an_answer_has_the_sections_of_the_offer_in_their_order() {
    let both = format!("{AUDIO}{VIDEO}");
    assert_eq!(check(&both, "m=audio 6000 RTP/AVP 8\r\nm=video 0 RTP/AVP 31\r\n"), Ok(()));
    assert_eq!(check(&both, AUDIO), Err(AnswerFault::SectionCount { offered: 2, answered: 1 }));
    assert_eq!(check(&both, &format!("{VIDEO}{AUDIO}")), Err(AnswerFault::Kind { section: 0 }));
}

#[test]
fn what_the_offer_rejects_stays_rejected() {
    let offer = format!("m=audio 0 RTP/AVP 0\r\n{VIDEO}");
    assert_eq!(check(&offer, &format!("m=audio 0 RTP/AVP 0\r\n{VIDEO}")), Ok(()));
    assert_eq!(
        check(&offer, &format!("m=audio 4 RTP/AVP 0\r\n{VIDEO}")),
        Err(AnswerFault::Revived { section: 0 })
    );
    let bundled = "m=video 0 RTP/AVP 31\r\na=bundle-only\r\n";
    assert_eq!(check(bundled, VIDEO), Ok(()), "bundle-only is an offer in spite of its port");
}

#[test]
fn an_accepted_section_has_a_codec_of_the_offer_under_any_number() {
    assert_eq!(check(AUDIO, "m=audio 6 RTP/AVP 111\r\na=rtpmap:111 OPUS/48000/2\r\n"), Ok(()));
    assert_eq!(check(AUDIO, "m=audio 6 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000/1\r\n"), Ok(()));
    let fault = Err(AnswerFault::NoCommonFormat { section: 0 });
    assert_eq!(check(AUDIO, "m=audio 6 RTP/AVP 96\r\na=rtpmap:96 AMR/8000\r\n"), fault);
    assert_eq!(check("m=image 5 udptl t38\r\n", "m=image 6 udptl T38\r\n"), Ok(()));
    assert_eq!(check("m=message 5 TCP/MSRP *\r\n", "m=message 6 TCP/MSRP x\r\n"), fault);
}

#[test]
fn the_direction_of_an_answer_fits_the_offered_one() {
    use Direction::*;
    for (offered, fitting) in [
        (SendRecv, vec![SendRecv, SendOnly, RecvOnly, Inactive]),
        (SendOnly, vec![RecvOnly, Inactive]),
        (RecvOnly, vec![SendOnly, Inactive]),
        (Inactive, vec![Inactive]),
    ] {
        for answered in Direction::ALL {
            let said = |d: Direction| format!("m=audio 1 RTP/AVP 0\r\na={}\r\n", d.name());
            let expected = match fitting.contains(&answered) {
                true => Ok(()),
                false => Err(AnswerFault::Direction { section: 0, offered, answered }),
            };
            assert_eq!(check(&said(offered), &said(answered)), expected);
        }
        assert_eq!(offered.reversed().reversed(), offered);
        assert!(offered.reversed().may_answer(offered));
    }
}

#[test]
fn the_version_rises_by_one_when_and_only_when_something_else_changed() {
    let first = parsed("v=0\r\no=siphon 7 41 IN IP4 192.0.2.9\r\ns=-\r\nm=audio 1 RTP/AVP 0\r\n");
    let mut second = parsed("v=0\r\no=bob 99 12 IN IP4 10.0.0.1\r\ns=-\r\nm=audio 1 RTP/AVP 0\r\n");
    assert_eq!(next_version(&first, &second), 41);
    second.continue_origin(&first).expect("safe");
    assert_eq!(second.write(), first.write());
    second.hold().expect("safe");
    assert_eq!(next_version(&first, &second), 42);
    second.continue_origin(&first).expect("safe");
    assert_eq!(second.origin_line(), Some("siphon 7 42 IN IP4 192.0.2.9"));
    // The sections are compared in their places: the same lines elsewhere are something else.
    let moved = parsed("v=0\r\no=siphon 7 41 IN IP4 192.0.2.9\r\nm=audio 1 RTP/AVP 0\r\ns=-\r\n");
    assert_eq!(next_version(&first, &moved), 42);
    let odd = parsed("v=0\r\no=siphon 7 x IN IP4 192.0.2.9\r\ns=-\r\n");
    assert_eq!(next_version(&odd, &first), 1);
}
