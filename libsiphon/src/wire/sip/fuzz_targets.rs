//! What fuzzing checks, as plain functions: `fuzz/` runs them under libFuzzer, the smoke test under `cargo test`.
//!
//! Each takes any octets and panics when a promise of this module does not hold.

use super::*;

/// Reads, prints, answers and edits a message.
pub fn message(bytes: &[u8]) {
    let limits = Limits::default();
    let seen = peek(bytes);
    let m = match Message::parse(bytes, &limits) {
        Ok(m) => m,
        Err(refused) => {
            assert!(refused.fault.to_string().bytes().all(|c| (b' '..=b'~').contains(&c)));
            if let Some(m) = refused.message {
                look(&m);
                let mut out = Vec::new();
                let reason = refused.fault.to_string();
                ResponseBuilder::to(&m, refused.fault.status())
                    .reason(reason)
                    .write(&mut out)
                    .expect("one line");
            }
            return;
        }
    };
    assert!(bytes.windows(m.bytes().len()).any(|w| w == m.bytes()), "octets were lost");
    assert!(seen.response || m.method() == seen.method);
    assert!(
        seen.response || seen.in_dialog || m.to_tag().is_none(),
        "a request inside a dialog could be shed"
    );
    look(&m);
    print(&m, &limits);
    if m.is_request() {
        forward(&m, &limits);
        answer(&m, &limits);
    }
}

fn again(bytes: &[u8], limits: &Limits) -> Option<Message> {
    match Message::parse(bytes, limits) {
        Ok(m) => Some(m),
        // What was added may go over a limit; nothing else may go wrong.
        Err(refused) if refused.fault.status() != 400 => None,
        Err(refused) => panic!("{}: {}", refused.fault, String::from_utf8_lossy(bytes)),
    }
}

/// What is read is written on one line.
fn session_fields(m: &Message) {
    let shown = [
        m.rack().ok().flatten().map(|v| v.to_string()),
        m.session_expires().ok().flatten().map(|v| v.to_string()),
        m.replaces().ok().flatten().map(|v| v.to_string()),
        m.refer_to().ok().flatten().map(|v| v.to_string()),
        m.referred_by().ok().flatten().map(|v| v.to_string()),
        m.event().ok().flatten().map(|v| v.to_string()),
        m.subscription_state().ok().flatten().map(|v| v.to_string()),
        m.allow().map(|v| v.to_string()),
    ];
    let reasons = m.reasons().map(|v| v.to_string());
    for text in shown.into_iter().flatten().chain(reasons) {
        assert!(!text.contains(['\r', '\n', '\0']), "{text:?} would end its line");
    }
    let _ = (m.rseq(), m.min_se(), m.refer_sub(), m.supports("timer"), sipfrag::status(m.body()));
}

fn look(m: &Message) {
    session_fields(m);
    let _ = (m.reason(), m.request_uri(), m.method_name(), m.from_tag(), m.to_tag(), m.uri(), m.second_via());
    for header in m.headers() {
        assert!(!header.text().contains(['\r', '\n']), "folding shows");
        for value in m.values(header.id) {
            assert!(!value.is_empty());
        }
        for address in m.addresses(header.id).flatten() {
            let _ = (address.display(), address.q(), address.expires(), address.uri.canonical_aor());
        }
        if let Ok(auth) = AuthParams::parse(&header.text()) {
            assert!(auth.iter().all(|(name, _)| auth.get(name).is_some()));
        }
    }
    if let Some(kind) = m.header(HeaderId::ContentType) {
        let _ = multipart::split(&kind, m.body());
    }
}

fn print(m: &Message, limits: &Limits) {
    let mut out = Vec::new();
    Splice::of(m).write(&mut out);
    match m.has(HeaderId::ContentLength) {
        true => assert_eq!(out, m.bytes()),
        false => {
            let Some(printed) = again(&out, limits) else { return };
            assert_eq!(printed.body(), m.body());
            assert_eq!(printed.headers().count(), m.headers().count() + 1);
        }
    }
}

fn forward(m: &Message, limits: &Limits) {
    let mut splice = Splice::of(m);
    let routes = m.values(HeaderId::Route).count();
    splice.mark_via(Some([192, 0, 2, 1].into()), Some(4711));
    splice.push_via("SIP/2.0/UDP p;branch=z9hG4bKp").expect("safe");
    splice.push_record_route("<sip:p;lr>").expect("safe");
    splice.pop_routes(1).set_max_forwards(69).remove_value(HeaderId::Contact, 1);
    splice.set_to_tag("t").expect("safe").set("X-Siphon", "1").expect("safe");
    let mut out = Vec::new();
    splice.write(&mut out);
    let Some(sent) = again(&out, limits) else { return };
    assert_eq!(sent.via().branch, Some("z9hG4bKp"));
    let marked = sent.second_via().expect("the sender's");
    assert_eq!(marked.received, Some([192, 0, 2, 1].into()));
    assert_eq!(marked.rport == Rport::Port(4711), m.via().rport != Rport::Absent);
    assert_eq!((marked.host, marked.branch), (m.via().host, m.via().branch));
    assert_eq!(sent.values(HeaderId::Route).count(), routes.saturating_sub(1));
    assert_eq!((sent.to_tag(), sent.max_forwards()), (Some("t"), Some(69)));
    assert_eq!((sent.call_id(), sent.cseq(), sent.from_tag()), (m.call_id(), m.cseq(), m.from_tag()));
    assert_eq!(sent.body(), m.body());
    let mut splice = Splice::of(&sent);
    splice.pop_via();
    let mut back = Vec::new();
    splice.write(&mut back);
    if let Some(back) = again(&back, limits) {
        assert_eq!(back.via().host, m.via().host);
    }
}

fn answer(m: &Message, limits: &Limits) {
    let mut out = Vec::new();
    ResponseBuilder::to(m, 404).to_tag("us").write(&mut out).expect("safe");
    let Some(response) = again(&out, limits) else { return };
    assert_eq!(
        (response.status(), response.call_id(), response.via().branch),
        (404, m.call_id(), m.via().branch)
    );
    assert_eq!(response.to_tag(), m.to_tag().or(Some("us")));
    for follow_up in [ack_for(m.bytes(), &response), cancel_for(m.bytes())] {
        let Some(follow_up) = again(&follow_up, limits) else { continue };
        assert_eq!((follow_up.cseq(), follow_up.via().branch), (m.cseq(), m.via().branch));
        assert_eq!(follow_up.values(HeaderId::Via).count(), 1);
    }
}

/// Reads, compares and edits a URI.
pub fn uri(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(uri) = Uri::parse(text) else { return };
    assert!(uri.same_as(&uri));
    assert_eq!(uri.as_str(), text);
    let _ = (uri.canonical_aor(), uri.user_unescaped(), uri.host_ip(), uri.header_pairs().count());
    let Ok(mut owned) = UriBuf::parse(text) else { panic!("the same text") };
    if owned.set_port(Some(5061)).is_ok() {
        assert_eq!(owned.as_uri().port(), Some(5061));
        assert_eq!((owned.as_uri().user(), owned.as_uri().host()), (uri.user(), uri.host()));
    }
    if owned.set_user(Some(&uri.user_unescaped().unwrap_or_default())).is_ok() {
        assert_eq!(owned.as_uri().user_unescaped(), uri.user_unescaped());
    }
}

/// Reads an address with its parameters.
pub fn name_addr(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(address) = NameAddr::parse(text) else { return };
    let _ = (address.display(), address.tag(), address.q(), address.expires());
    for (name, _) in address.params {
        assert!(address.param(name).is_some());
    }
    assert!(address.is_star() || text.contains(address.uri.as_str()));
}

/// Reads credentials.
pub fn auth(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for parsed in [AuthParams::parse(text), AuthParams::parse_bare(text)].into_iter().flatten() {
        for (name, value) in parsed.iter() {
            assert_eq!(parsed.raw(name), Some(value));
            let plain = parsed.get(name).expect("it is there");
            assert_eq!(unquote(&quote(&plain)).replace('\0', ""), plain.replace(['\0', '\r', '\n'], ""));
        }
    }
}

/// Cuts a stream; the first octet says into pieces of what size. The frames do not depend on it.
pub fn framing(bytes: &[u8]) {
    let Some((&step, stream)) = bytes.split_first() else { return };
    let limits = Limits { header_section: 2048, body: 2048, message: 4000, ..Limits::default() };
    let cut = |step: usize| {
        let mut framer = StreamFramer::new(limits.clone());
        let mut frames = Vec::new();
        for piece in stream.chunks(step.max(1)) {
            framer.feed(piece);
            while let Some(frame) = framer.next() {
                frames.push(match frame {
                    Frame::Message(m) => m.bytes().to_vec(),
                    Frame::Refused(r) => format!("refused {} {:?}", r.fault, r.message).into_bytes(),
                    Frame::Ping => b"ping".to_vec(),
                    Frame::Pong => b"pong".to_vec(),
                    Frame::Fatal(r) => format!("fatal {}", r.fault).into_bytes(),
                });
            }
            assert!(framer.held() <= 4000 + piece.len(), "more is held than the limits allow");
        }
        frames
    };
    assert_eq!(cut(step.into()), cut(stream.len()));
}

/// Splits a multipart body; the boundary is `b`.
pub fn multipart_body(bytes: &[u8]) {
    let Ok(parts) = multipart::split("multipart/mixed;boundary=b", bytes) else { return };
    for part in parts {
        let _ = (part.content_type(), part.header("Content-ID"));
        assert!(part.body.len() <= bytes.len());
    }
}
