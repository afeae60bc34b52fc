//! What `dial` and `fork` come to, and the edits of what they send.

use super::super::fixture::{binding, flow};
use super::{actions, begun, dialled, done, edited, failed, may_call, on_invite, sbc, texts};
use crate::base::time::Duration;
use crate::policy::call::HeaderPreset;
use crate::policy::{CallAction, Dial, ReplySpec, Strategy, Target};

fn uris(dial: &Dial) -> Vec<&str> {
    dial.targets.iter().map(|target| &*target.uri).collect()
}

#[test]
fn a_dial_takes_text_uris_contacts_destinations_and_lists() {
    assert_eq!(dialled("call.dial('sip:x@192.0.2.9')"), Dial::of(vec![Target::uri("sip:x@192.0.2.9")]));
    assert_eq!(uris(&dialled("call.dial(SipUri('sip:x@192.0.2.9'))")), ["sip:x@192.0.2.9"]);
    assert_eq!(
        uris(&dialled("class D:\n    uri = 'sip:gw@192.0.2.8'\ncall.dial(D())")),
        ["sip:gw@192.0.2.8"]
    );
    let many = dialled("call.dial(['sip:x@192.0.2.9', SipUri('sip:y@192.0.2.9')])");
    assert_eq!(
        (uris(&many), many.strategy),
        (vec!["sip:x@192.0.2.9", "sip:y@192.0.2.9"], Strategy::Parallel)
    );
}

#[test]
fn a_contact_and_its_uri_are_dialled_along_their_path_and_flow() {
    for body in ["call.dial(contacts)", "call.dial([c.uri for c in contacts])", "call.fork(contacts)"] {
        let mut rig = on_invite(&format!("contacts = registrar.lookup(call.ruri)\n{body}"));
        let mut bound = binding("sip:bob@192.168.1.4");
        bound.path = vec!["<sip:edge.example.com;lr>".into()];
        // A binding is called as it registered, also where it names no user.
        let mut natted = binding("sip:192.168.1.5");
        natted.received = Some(flow().remote);
        rig.bind("bob@example.com", vec![bound, natted]);
        let verdict = begun(&mut rig);
        let [CallAction::Dial(dial)] = actions(&verdict) else { panic!("{verdict:?}") };
        assert_eq!(uris(dial), ["sip:bob@192.168.1.4", "sip:192.168.1.5"]);
        assert_eq!(dial.targets[0].route, texts(&["<sip:edge.example.com;lr>"]));
        assert_eq!(dial.targets[1].received, Some(flow().remote));
    }
}

#[test]
fn a_target_without_a_user_is_asked_for_the_number_that_was_dialled() {
    assert_eq!(uris(&dialled("call.dial('sip:gw.example.net:5080')")), ["sip:bob@gw.example.net:5080"]);
    let body = "call.set_ruri_user('+31612345678')\nassert call.ruri.user == '+31612345678'\ncall.dial('sip:gw.example.net')";
    assert_eq!(uris(&dialled(body)), ["sip:+31612345678@gw.example.net"]);
}

#[test]
fn what_a_dial_is_told_arrives_in_it() {
    let dial = dialled(
        "call.dial('sip:x@192.0.2.9', timeout='10s', next_hop='sip:192.0.2.7', flow=call.flow, header_policy='trunk', copy=['X-One', 'Subject'], strip='X-Two', translate={'X-One': 'X-Eins'}, route=['sip:edge.example.com'], send_socket='192.0.2.1:5060', auth_passthrough=True, follow_redirects=True, number_policy=None)",
    );
    assert_eq!(
        (dial.timeout, dial.auth_passthrough, dial.follow_redirects),
        (Duration::from_secs(10), true, true)
    );
    assert_eq!(dial.headers.preset, Some(HeaderPreset::Trunk));
    assert_eq!((dial.headers.copy, dial.headers.strip), (texts(&["X-One", "Subject"]), texts(&["X-Two"])));
    assert_eq!(dial.headers.translate, [("X-One".into(), "X-Eins".into())]);
    assert_eq!(dial.send_socket.as_deref(), Some("192.0.2.1:5060"));
    let [target] = &dial.targets[..] else { panic!("{:?}", dial.targets) };
    assert_eq!(target.next_hop.as_deref(), Some("sip:192.0.2.7"));
    assert_eq!((&target.route, target.flow), (&texts(&["<sip:edge.example.com;lr>"]), Some(flow())));
    let fork =
        dialled("call.fork(['sip:x@192.0.2.9'], strategy='sequential', timeout=5, failover=[503, 486])");
    assert_eq!((fork.strategy, fork.failover), (Strategy::Sequential, vec![503, 486]));
    assert_eq!(dialled("call.fork(['sip:x@192.0.2.9'], 'q')").strategy, Strategy::ByPreference);
}

#[test]
fn what_cannot_be_dialled_raises_and_nobody_to_dial_is_480() {
    for (wrong, error) in [
        ("call.dial(None)", "TypeError: there is nobody to dial"),
        ("call.fork('sip:x@192.0.2.9')", "TypeError: fork takes a list"),
        ("call.dial('no uri')", "ValueError"),
        (
            "call.dial('sip:x@192.0.2.9', header_policy='trnk')",
            "ValueError: header_policy \"trnk\": it is one of",
        ),
        ("call.dial('sip:x@192.0.2.9', number_policy='nl')", "number normalisation is not built yet"),
        ("call.dial('sip:x@192.0.2.9', copy=['a b'])", "is no header field name"),
        ("call.fork(['sip:x@192.0.2.9'], failover=[200])", "a failure is 300 to 699"),
        ("call.fork(['sip:x@192.0.2.9'], 'random')", "it is 'parallel', 'sequential' or 'q'"),
    ] {
        let verdict = begun(&mut on_invite(wrong));
        assert!(failed(&verdict).contains(error), "{wrong}: {verdict:?}");
    }
    for nobody in ["call.fork([])", "call.dial(registrar.lookup(call.ruri))"] {
        assert_eq!(done(nobody), [CallAction::Reject(ReplySpec::code(480))]);
    }
}

#[test]
fn what_a_script_sets_passes_to_the_other_side_and_what_it_removes_does_not() {
    let own = dialled(
        "call.set_header('x-a', 1)\ncall.add_header('X-B', 2)\ncall.set_header('s', 'hi')\ncall.set_from_host('a.example.net')\ncall.set_to_user('carol')\ncall.set_contact_user('sbc')\ncall.remove_header('X-One')\ncall.dial('sip:x@192.0.2.9')",
    );
    assert_eq!(own.headers.own, texts(&["x-a", "X-B", "Subject", "From", "Contact"]));
    let text = edited(
        "call.set_header('X-A', 1)\ncall.remove_headers_matching('^X-O')\ncall.remove_header('Subject')\ncall.set_body('v=0', 'application/sdp')",
    );
    assert!(text.contains("X-A: 1\r\n") && !text.contains("X-One") && !text.contains("Subject"), "{text}");
    assert!(text.contains("Content-Type: application/sdp\r\n") && text.ends_with("v=0"), "{text}");
    for wrong in ["call.set_header('Via', 'x')", "call.set_header('X', 'a\\nb')"] {
        assert!(failed(&begun(&mut on_invite(wrong))).contains("ValueError"), "{wrong}");
    }
}

#[test]
fn parts_of_from_to_and_contact_are_replaced() {
    let text = edited(
        "call.set_from_user('carol')\ncall.set_from_host('a.example.net:5080')\ncall.set_to_user('dave')\ncall.set_to_host('b.example.net')\ncall.set_contact_uri('sip:sbc@192.0.2.1')\nassert call.from_uri.user == 'carol' and call.to_uri.host == 'b.example.net'",
    );
    assert!(text.contains("From: \"Alice\" <sip:carol@a.example.net:5080>;tag=a1\r\n"), "{text}");
    assert!(text.contains("To: <sip:dave@b.example.net>\r\n"), "{text}");
    assert!(text.contains("Contact: <sip:sbc@192.0.2.1>\r\n"), "{text}");
    let text = edited("call.set_from_uri('sip:x@y')\ncall.set_to_uri('tel:+123')\ncall.set_to_user('+456')");
    assert!(
        text.contains("From: \"Alice\" <sip:x@y>;tag=a1\r\n") && text.contains("To: <tel:+456>\r\n"),
        "{text}"
    );
}

#[test]
fn a_caller_can_be_hidden_or_given_another_number_unless_it_is_withheld() {
    let text = edited("call.restrict_caller_id()\nassert call.set_caller_id('1') is False");
    let hidden = "From: \"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=a1\r\n";
    assert!(text.contains(hidden) && text.contains("Privacy: id\r\n"), "{text}");
    let mut rig = on_invite("assert call.set_caller_id('+4930123') is True\ncall.dial('sip:x@192.0.2.9')");
    let asserted = "P-Asserted-Identity: \"Alice\" <sip:alice@example.com>, <tel:+1555>";
    let message = super::super::fixture::request("INVITE", "sip:bob@example.com", asserted);
    let text = rig.ask(may_call(&message)).message.expect("edited");
    let text = String::from_utf8(text.bytes().to_vec()).unwrap();
    assert!(text.contains("From: <sip:+4930123@example.com>;tag=a1\r\n"), "{text}");
    assert!(text.contains("P-Asserted-Identity: <sip:+4930123@example.com>, <tel:+4930123>"), "{text}");
}

#[test]
fn what_a_call_shows_is_what_its_invite_says() {
    let body = "assert call.id == 'c-1' and call.state == 'calling' and call.call_id == 'call-1@host'\nassert call.from_uri.user == 'alice' and call.to_uri.user == 'bob' and str(call.ruri) == 'sip:bob@example.com' and call.ruri.is_local\nassert call.source_ip == '203.0.113.9' and call.source_port == 40000 and call.transport == 'udp'\nassert call.flow.remote_addr == '203.0.113.9:40000'\nassert call.source_ip_in(['203.0.113.0/24']) and not call.source_ip_in('10.0.0.0/8')\nassert call.body is None and call.content_type is None and call.callee is None\nassert call.auth_user is None and call.refer_to is None and call.refer_replaces is None and call.refer_from is None\nassert call.get_header('x-one') == call.header('X-One') == '1' and call.get_headers('X-One') == ['1'] and call.has_header('Subject')\nassert repr(call) == '<Call c-1 calling>' and isinstance(call, Call)\ncall.reject(603)";
    let mut rig = on_invite(body);
    assert!(matches!(actions(&begun(&mut rig)), [CallAction::Reject(_)]));
}

#[test]
fn without_a_media_engine_anchoring_raises_and_names_the_key() {
    let mut rig =
        sbc("@b2bua.on_invite\ndef on_invite(call):\n    call.media.anchor()\n    call.reject(603)\n");
    assert!(matches!(actions(&begun(&mut rig)), [CallAction::Anchor { .. }, CallAction::Reject(_)]));
    let text = "from siphon import b2bua\n@b2bua.on_invite\ndef on_invite(call):\n    call.media.anchor()\n";
    let mut settings = super::super::fixture::settings(text);
    settings.role = "siphon-sbc";
    let mut rig = super::super::fixture::try_load(settings).unwrap_or_else(|e| panic!("{e}"));
    let verdict = begun(&mut rig);
    assert!(failed(&verdict).contains("the YAML has no `media`"), "{verdict:?}");
}

#[test]
fn media_that_is_anchored_and_released_in_one_go_is_not_touched() {
    let body = "assert not call.media.is_active\ncall.media.anchor(engine='rtpengine')\nassert call.media.is_active\ncall.media.release()\ncall.media.release()\nassert not call.media.is_active\ncall.reject(603)";
    assert_eq!(done(body), [CallAction::Reject(ReplySpec::code(603))]);
    for wrong in ["call.media.anchor('other')", "call.media.anchor(profile='none')"] {
        assert!(failed(&begun(&mut on_invite(wrong))).contains("ValueError"), "{wrong}");
    }
}

#[test]
fn the_session_description_of_a_call_is_read_edited_and_put_back() {
    let mut rig = sbc(
        "from siphon import sdp\n@b2bua.on_invite\ndef on_invite(call):\n    said = sdp.parse(call)\n    said.remove_codecs(['G722'])\n    said.apply(call)\n    call.dial('sip:x@192.0.2.9')\n",
    );
    let offer = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 9 8\r\na=rtpmap:9 G722/8000\r\n";
    let invite = super::super::fixture::request(
        "INVITE",
        "sip:bob@example.com",
        &format!("Content-Type: application/sdp\n\n{}", offer.replace("\r\n", "\n")),
    );
    let edited = rig.ask(may_call(&invite)).message.expect("edited");
    let body = String::from_utf8_lossy(edited.body()).into_owned();
    assert!(body.contains("m=audio 4000 RTP/AVP 8\r\n"), "{body}");
}
