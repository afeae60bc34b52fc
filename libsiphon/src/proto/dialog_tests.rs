use super::*;
use crate::base::codec::Codec;
use crate::wire::sip::Limits;

fn message(text: &str) -> Message {
    Message::parse(text.replace('\n', "\r\n").as_bytes(), &Limits::default()).expect("a message")
}

fn invite() -> Message {
    message(
        "INVITE sip:bob@192.0.2.9 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\n\
         Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>\n\
         From: \"Alice \\\"A\\\"\" <sip:alice@example.com>;tag=a1;x=y\nTo: sip:bob@example.com\nCall-ID: c1\n\
         CSeq: 7 INVITE\nContact: <sip:alice@192.0.2.1:5070;transport=tcp>\nMax-Forwards: 70\nContent-Length: 0\n\n",
    )
}

fn ok(contact: &str) -> Message {
    message(&format!(
        "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\n\
         Record-Route: <sip:p2.example;lr>, <sip:p1.example;lr>\nFrom: <sip:alice@example.com>;tag=a1\n\
         To: <sip:bob@example.com>;tag=b1\nCall-ID: c1\nCSeq: 7 INVITE\n{contact}Content-Length: 0\n\n"
    ))
}

fn sent() -> Sent {
    Sent {
        call_id: "c1".into(),
        from: "<sip:alice@example.com>".into(),
        from_tag: "a1".into(),
        cseq: 7,
        request_uri: "sip:bob@192.0.2.9".into(),
    }
}

#[test]
fn the_uas_takes_the_route_set_as_it_came_and_the_uac_turns_it_round() {
    let uas = Dialog::uas(&invite(), "b1").expect("a dialog");
    assert_eq!(uas.routes, ["<sip:p2.example;lr>".into(), Text::from("<sip:p1.example;lr>")]);
    assert_eq!(&*uas.target, "sip:alice@192.0.2.1:5070;transport=tcp");
    assert_eq!(uas.to(), "\"Alice \\\"A\\\"\" <sip:alice@example.com>;x=y;tag=a1");
    assert_eq!(uas.from(), "<sip:bob@example.com>;tag=b1");
    let uac = Dialog::uac(&sent(), &ok("Contact: <sip:bob@192.0.2.9>\n")).expect("a dialog");
    assert_eq!(uac.routes, ["<sip:p1.example;lr>".into(), Text::from("<sip:p2.example;lr>")]);
    assert_eq!((&*uac.remote_tag, uac.local_cseq), ("b1", 7));
}

#[test]
fn a_2xx_without_contact_makes_no_dialog_but_a_ringing_one_does() {
    assert_eq!(Dialog::uac(&sent(), &ok("")), Err(NoDialog::Contact));
    let ringing = message(
        "SIP/2.0 180 Ringing\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKa\nFrom: <sip:alice@example.com>;tag=a1\n\
         To: <sip:bob@example.com>;tag=b1\nCall-ID: c1\nCSeq: 7 INVITE\nContent-Length: 0\n\n",
    );
    let dialog = Dialog::uac(&sent(), &ringing).expect("a dialog");
    assert_eq!(&*dialog.target, "sip:bob@192.0.2.9");
}

#[test]
fn a_request_with_an_old_number_is_out_of_order() {
    let mut dialog = Dialog::uas(&invite(), "b1").expect("a dialog");
    assert_eq!(dialog.received(&invite()), Err(OutOfOrder::CSeq));
    let later = message(
        "BYE sip:x SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKb\nFrom: <sip:alice@example.com>;tag=a1\n\
         To: <sip:bob@example.com>;tag=b1\nCall-ID: c1\nCSeq: 9 BYE\nMax-Forwards: 70\nContent-Length: 0\n\n",
    );
    assert!(dialog.is_of(&later));
    assert_eq!(dialog.received(&later), Ok(()));
    assert_eq!(dialog.received(&later), Err(OutOfOrder::CSeq));
}

#[test]
fn a_strict_first_hop_gets_the_request_in_the_old_form() {
    let mut dialog = Dialog::uas(&invite(), "b1").expect("a dialog");
    dialog.routes = vec!["<sip:old.example>".into(), "<sip:p1.example;lr>".into()];
    let (uri, routes) = dialog.path();
    assert_eq!(&*uri, "sip:old.example");
    let wanted: [Text; 2] = ["<sip:p1.example;lr>".into(), "<sip:alice@192.0.2.1:5070;transport=tcp>".into()];
    assert_eq!(routes, wanted);
}

#[test]
fn numbers_of_requests_rise() {
    let mut dialog = Dialog::uas(&invite(), "b1").expect("a dialog");
    assert_eq!((dialog.next_cseq(), dialog.next_cseq()), (1, 2));
}

#[test]
fn an_encoded_dialog_comes_back() {
    let dialog = Dialog::uas(&invite(), "b1").expect("a dialog");
    let bytes = dialog.to_bytes();
    assert_eq!(Dialog::from_bytes(&bytes), Ok(dialog));
    for end in 0..bytes.len() {
        assert!(Dialog::from_bytes(&bytes[..end]).is_err(), "cut at {end}");
    }
}
