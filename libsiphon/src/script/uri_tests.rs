//! The short way to a user part and the parser agree.

use super::*;

#[test]
fn what_is_read_without_parsing_is_what_the_parser_says() {
    let texts = [
        "sip:bob@example.com",
        "sip:+49-30.1_2@192.0.2.1",
        "sip:bob@example.com:5060",
        "sip:bob@example.com;transport=tcp",
        "sip:b%6Fb@example.com",
        "sip:bob:secret@example.com",
        "sip:@example.com",
        "sip:bob@",
        "sip:bob@ex ample",
        "sip:bob@a@b",
        "sip:example.com",
        "SIP:bob@example.com",
        "sips:bob@example.com",
        "sip:bob@[2001:db8::1]",
        "tel:+4930",
        "sip:b\u{f6}b@example.com",
        "",
    ];
    let mut short = 0;
    for text in texts {
        let parsed = Uri::parse(text).ok().and_then(|u| u.user_unescaped()).map(Cow::into_owned);
        if let Some(user) = plain_user(text) {
            short += 1;
            assert_eq!(Some(user.to_owned()), parsed, "{text}");
        }
    }
    assert_eq!(short, 2, "the plain ones, and only those");
}
