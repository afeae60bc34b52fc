use super::*;
use crate::wire::sip::Limits;

fn request(first_line: &str, more: &str) -> Message {
    let method = first_line.split(' ').next().unwrap();
    let text = format!(
        "{first_line} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKabc\r\nFrom: <sip:a@example.com>;tag=a\r\n\
         To: <sip:b@example.com>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n{more}Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.as_bytes(), &Limits::default()).unwrap()
}

fn code(first_line: &str, more: &str, passage: Loop, is_local: bool) -> u16 {
    validate(&request(first_line, more), passage, is_local, &["path"]).map_or_else(|r| r.code, |()| 200)
}

const BOB: &str = "INVITE sip:bob@example.com";

#[test]
fn a_scheme_nobody_knows_is_416() {
    assert_eq!(code("OPTIONS soap.beep://192.0.2.103:3002", "", Loop::None, false), 416);
    for known in ["sip:bob@example.com", "sips:bob@example.com", "tel:+1234", "urn:service:sos"] {
        assert_eq!(code(&format!("OPTIONS {known}"), "", Loop::None, false), 200, "{known}");
    }
}

#[test]
fn a_request_without_hops_left_is_483_unless_it_may_end_here() {
    assert_eq!(code(BOB, "Max-Forwards: 0\r\n", Loop::None, false), 483);
    assert_eq!(code(BOB, "Max-Forwards: 1\r\n", Loop::None, false), 200);
    assert_eq!(code(BOB, "Max-Forwards: 0\r\n", Loop::None, true), 200);
    assert_eq!(may_forward(&request(BOB, "Max-Forwards: 0\r\n"), 60).unwrap_err().code, 483);
}

#[test]
fn a_loop_is_482_and_a_spiral_goes_on() {
    assert_eq!(code(BOB, "", Loop::Loop, false), 482);
    assert_eq!(code(BOB, "", Loop::Loop, true), 482);
    assert_eq!(code(BOB, "", Loop::Spiral, false), 200);
}

#[test]
fn a_proxy_require_that_is_not_understood_is_420_and_named() {
    let message = request(BOB, "Proxy-Require: path, foo\r\nProxy-Require: bar\r\n");
    let rejection = validate(&message, Loop::None, true, &["path"]).unwrap_err();
    assert_eq!(rejection.code, 420);
    assert_eq!(rejection.headers.as_slice(), [(HeaderId::Unsupported, "foo, bar".to_owned())]);
    assert_eq!(code(BOB, "Proxy-Require: PATH\r\n", Loop::None, true), 200);
    assert_eq!(code("ACK sip:bob@example.com", "Proxy-Require: foo\r\n", Loop::None, false), 200);
}

#[test]
fn a_request_without_breadth_left_is_440() {
    assert_eq!(code(BOB, "Max-Breadth: 0\r\n", Loop::None, false), 440);
    assert_eq!(may_forward(&request(BOB, "Max-Breadth: 0\r\n"), 60).unwrap_err().code, 440);
}

#[test]
fn what_is_forwarded_has_one_hop_less_and_at_most_our_breadth() {
    let hops =
        |more: &str| may_forward(&request(BOB, more), 60).map(|h| (h.max_forwards, h.max_breadth)).unwrap();
    assert_eq!(hops(""), (70, 60));
    assert_eq!(hops("Max-Forwards: 10\r\nMax-Breadth: 7\r\n"), (9, 7));
    assert_eq!(hops("Max-Forwards: 255\r\nMax-Breadth: 100000\r\n"), (254, 60));
    assert_eq!(hops("Max-Breadth: many\r\n"), (70, 60));
}
