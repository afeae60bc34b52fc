//! Verdicts: commit, deciding nothing, second decisions, edits.

use super::fixture::{Rig, load, message, question, request};
use crate::policy::{Decision, Question, Verdict};
use crate::script::LogLevel;

/// A script whose one handler has this body.
pub(crate) fn handler(body: &str) -> Rig {
    let body = body.trim_matches('\n').lines().map(|l| format!("    {l}\n")).collect::<String>();
    load(&format!(
        "from siphon import proxy, registrar, auth, log, cache, timer, metrics, SipUri\n@proxy.on_request\ndef route(request):\n{body}"
    ))
}

pub(crate) fn invite() -> crate::wire::sip::Message {
    request("INVITE", "sip:bob@example.com", "X-One: 1\nx-two : 2\nSubject: hello")
}

fn failed(verdict: &Verdict) -> &str {
    match &verdict.decision {
        Some(Decision::Failed(text)) => text,
        other => panic!("no failure but {other:?}"),
    }
}

/// The request as it is relayed.
fn relayed(body: &str) -> String {
    let mut rig = handler(&format!("{body}\nrequest.relay()"));
    let verdict = rig.request(&invite());
    assert!(matches!(verdict.decision, Some(Decision::Relay(_) | Decision::Fork { .. })), "{verdict:?}");
    let message = verdict.message.unwrap_or_else(invite);
    String::from_utf8(message.bytes().to_vec()).unwrap()
}

#[test]
fn deciding_nothing_is_a_failure_that_names_the_handler_and_its_line() {
    let verdict = handler("pass").request(&invite());
    let text = failed(&verdict);
    assert!(
        text.contains("decided nothing") && text.contains("route") && text.contains("script.py:2"),
        "{text}"
    );
}

#[test]
fn deliberate_silence_is_drop() {
    assert!(matches!(handler("request.drop()").request(&invite()).decision, Some(Decision::Drop)));
}

#[test]
fn an_exception_drops_what_was_recorded_and_tells_traceback_and_line() {
    let verdict = handler("request.set_header('X-A', 'b')\nrequest.relay()\n1/0").request(&invite());
    let text = failed(&verdict);
    assert!(text.contains("ZeroDivisionError") && text.contains("script.py\", line 6"), "{text}");
    assert!(verdict.message.is_none());
    assert_eq!(verdict.script_line.as_deref(), Some("script.py:6"));
}

#[test]
fn a_second_decision_is_logged_with_both_lines_and_the_first_stands() {
    let mut rig = handler("request.reply(486)\nrequest.relay()");
    assert_eq!(rig.replied(&invite()), 486);
    let log = rig.log();
    assert_eq!(log.len(), 1, "{log:?}");
    assert!(
        log[0].level == LogLevel::Error
            && log[0].text.contains("script.py:5")
            && log[0].text.contains("script.py:4")
    );
    assert_eq!(log[0].call_id.as_deref(), Some("call-1@host"));
}

#[test]
fn failed_checks_have_decided() {
    assert_eq!(handler("if not auth.require_digest(request): return").replied(&invite()), 401);
    assert_eq!(
        handler("if not auth.require_proxy_digest(request, realm='x'): return").replied(&invite()),
        407
    );
    assert_eq!(handler("if not proxy._utils.rate_limit(request, 10, 0): return").replied(&invite()), 503);
    let lost = message(
        "INVITE sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: <sip:a@b>;tag=1\n\
         To: <sip:b@b>\nCall-ID: 1\nCSeq: 1 INVITE",
    );
    assert_eq!(handler("if not proxy._utils.sanity_check(request): return").replied(&lost), 400);
}

#[test]
fn require_digest_is_a_plain_bool_and_names_the_user() {
    let mut rig = handler(
        "ok = auth.require_digest(request)\nassert ok is True\nrequest.reply(200, request.auth_user)",
    );
    let message = request("INVITE", "sip:bob@example.com", "Authorization: good alice");
    let Some(Decision::Reply(spec)) = rig.request(&message).decision else { panic!() };
    assert_eq!(spec.reason.as_deref(), Some("alice"));
}

#[test]
fn a_reply_to_an_ack_is_a_log_error_and_nothing_on_the_wire() {
    let mut rig = handler("request.reply(200)");
    let verdict = rig.request(&request("ACK", "sip:bob@example.com", ""));
    assert!(verdict.decision.is_none());
    assert_eq!(rig.logged(LogLevel::Error).len(), 1);
}

#[test]
fn an_empty_fork_is_handed_on_as_an_empty_fork() {
    let verdict = handler("request.fork([])").request(&invite());
    assert!(matches!(verdict.decision, Some(Decision::Fork { targets, .. }) if targets.is_empty()));
}

#[test]
fn relaying_to_text_keeps_the_request_uri_and_relaying_to_a_contact_takes_its_path() {
    let target = |body: &str| {
        let mut rig = handler(body);
        let mut bob = super::fixture::binding("sip:bob@10.1.1.1");
        bob.path = vec!["<sip:p.example.com;lr>".into()];
        rig.bind("bob@example.com", vec![bob]);
        match rig.request(&invite()).decision {
            Some(Decision::Fork { targets, .. }) => targets.into_iter().next().unwrap(),
            other => panic!("{other:?}"),
        }
    };
    let hop = target("request.relay('sip:192.0.2.50:5070')");
    assert_eq!((&*hop.uri, hop.next_hop.as_deref()), ("sip:bob@example.com", Some("sip:192.0.2.50:5070")));
    for way in ["registrar.lookup(request.ruri)[0]", "registrar.lookup('sip:bob@example.com')[0].uri"] {
        let hop = target(&format!("request.relay({way})"));
        assert_eq!((&*hop.uri, hop.route.len(), hop.next_hop), ("sip:bob@10.1.1.1", 1, None), "{way}");
    }
    let forgotten = target("request.fork([str(registrar.lookup(request.ruri)[0].uri)])");
    assert!(forgotten.route.is_empty());
}

#[test]
fn edits_change_what_they_name_and_nothing_else() {
    let text = relayed(
        "request.set_header('X-One', 'uno')\nrequest.remove_header('X-Two')\nrequest.set_ruri_user('carol')",
    );
    assert!(text.starts_with("INVITE sip:carol@example.com SIP/2.0\r\n"), "{text}");
    assert!(
        text.contains("X-One: uno\r\n") && !text.contains("x-two") && text.contains("Subject: hello\r\n"),
        "{text}"
    );
    let text = relayed(
        "request.set_from_display('Ann \"A\"')\nrequest.add_path('sip:p@192.0.2.1')\nrequest.ensure_header('Subject', 'no')",
    );
    assert!(text.contains("From: \"Ann \\\"A\\\"\" <sip:alice@example.com>;tag=a1\r\n"), "{text}");
    assert!(text.contains("Path: <sip:p@192.0.2.1;lr>\r\n") && text.contains("Subject: hello"), "{text}");
}

#[test]
fn header_patterns_match_from_the_start_of_the_name_in_any_spelling() {
    for pattern in ["^X-", "X-", "x-", "X-(One|Two)"] {
        let text = relayed(&format!("request.remove_headers_matching({pattern:?})"));
        assert!(!text.to_lowercase().contains("\nx-"), "{pattern}: {text}");
        assert!(text.contains("Subject: hello"), "{pattern}: {text}");
    }
    let text = relayed("request.remove_headers_matching('.*')");
    assert!(text.contains("Via:") && text.contains("CSeq:") && !text.contains("Subject"), "{text}");
    let text = relayed("request.remove_headers_matching('One')");
    assert!(text.contains("X-One"), "{text}");
}

#[test]
fn cr_lf_and_nul_raise_value_error_wherever_text_goes_to_the_wire() {
    let attempts = [
        "request.set_header('X', bad)",
        "request.set_header(bad, 'x')",
        "request.add_header('X', bad)",
        "request.ensure_header('X', bad)",
        "request.set_reply_header('X', bad)",
        "request.add_reply_header('X', bad)",
        "request.set_reply_body('x', bad)",
        "request.set_body('x', bad)",
        "request.reply(200, bad)",
        "request.reply(200, headers={'X': bad})",
        "request.reply(200, body='x', content_type=bad)",
        "request.relay(bad)",
        "request.relay('sip:a@b' + bad)",
        "request.relay(send_socket=bad)",
        "request.fork(['sip:' + bad + '@b'])",
        "request.set_ruri('sip:a@b' + bad)",
        "request.set_ruri_user(bad)",
        "request.set_ruri_host(bad)",
        "request.set_from_display(bad)",
        "request.set_to_display(bad)",
        "request.set_from_uri('sip:' + bad)",
        "request.set_to_uri('sip:a@b;x=' + bad)",
        "request.set_contact_uri('sip:' + bad)",
        "request.set_contact_user(bad)",
        "request.add_path('sip:' + bad)",
        "request.prepend_route('sip:' + bad)",
        "request.force_send_via('udp', bad)",
        "SipUri('sip:a@b' + bad)",
        "auth.require_digest(request, realm=bad)",
        "proxy.send_request('OPTIONS', 'sip:a@b' + bad)",
        "proxy.send_request(bad, 'sip:a@b')",
        "proxy.send_request('OPTIONS', 'sip:a@b', headers={'X': bad})",
        "registrar.lookup('sip:a@b' + bad)",
    ];
    let mut body = String::from("n = 0\nfor c in '\\r\\n\\0':\n    bad = 'a' + c + 'b'\n");
    for attempt in attempts {
        body.push_str(&format!(
            "    try:\n        {attempt}\n    except ValueError:\n        n += 1\n    else:\n        log.error({attempt:?} + ' went through with ' + repr(c))\n"
        ));
    }
    body.push_str("request.reply(200, str(n))");
    let mut rig = handler(&body);
    let Some(Decision::Reply(spec)) = rig.request(&invite()).decision else { panic!("{:?}", rig.log()) };
    assert_eq!(
        spec.reason.as_deref(),
        Some(&*(attempts.len() * 3).to_string()),
        "{:#?}",
        rig.logged(LogLevel::Error)
    );
}

#[test]
fn touching_route_takes_our_consumed_values_out() {
    let mut rig = handler(
        "assert request.loose_route()\nrequest.prepend_route('sip:next.example.net')\nrequest.relay()",
    );
    let message =
        request("INVITE", "sip:bob@example.com", "Route: <sip:192.0.2.1;lr>, <sip:far.example.org;lr>");
    let verdict = rig.ask(Question { consumed_routes: 1, ..question(&message) });
    let edited = verdict.message.expect("edited");
    let routes: Vec<String> = edited.routes().map(|r| r.unwrap().uri.as_str().to_owned()).collect();
    assert_eq!(routes, ["sip:next.example.net;lr", "sip:far.example.org;lr"]);
    assert_eq!(verdict.consumed_routes, Some(0));
}

#[test]
fn loose_route_hides_our_own_values_only() {
    let mut rig = handler("request.loose_route()\nrequest.reply(200, request.get_header('Route'))");
    let message =
        request("INVITE", "sip:bob@example.com", "Route: <sip:192.0.2.1;lr>, <sip:far.example.org;lr>");
    let verdict = rig.ask(Question { consumed_routes: 1, ..question(&message) });
    let Some(Decision::Reply(spec)) = verdict.decision else { panic!() };
    assert_eq!(spec.reason.as_deref(), Some("<sip:far.example.org;lr>"));
}

#[test]
fn a_method_without_a_handler_is_left_to_rust_and_does_not_touch_python() {
    let mut rig = load(
        "from siphon import proxy\n@proxy.on_request('INVITE|SUBSCRIBE')\ndef f(request):\n    request.reply(480)\n",
    );
    assert_eq!(rig.replied(&invite()), 480);
    assert_eq!(rig.replied(&request("SUBSCRIBE", "sip:bob@example.com", "Event: presence")), 480);
    let verdict = rig.request(&request("OPTIONS", "sip:example.com", ""));
    assert!(matches!(verdict.decision, Some(Decision::RoleProcedure)));
    assert_eq!(rig.ran, 2);
}

#[test]
fn what_a_request_shows_is_what_the_message_says() {
    let body = "\
assert request.method == 'INVITE' and request.ruri.user == 'bob' and request.ruri.is_local
assert request.from_uri.user == 'alice' and request.from_tag == 'a1' and request.to_tag is None
assert request.call_id == 'call-1@host' and request.cseq == 1 and not request.in_dialog
assert request.max_forwards == 70 and request.body is None and request.transport == 'udp'
assert request.source_ip == '203.0.113.9' and request.source_port == 40000
assert request.source_ip_in(['10.0.0.0/8', '203.0.113.0/24']) and not request.source_ip_in('10.0.0.0/8')
assert request.get_header('x-two') == '2' and request.header('nope') is None and request.has_header('s')
assert request.flow.remote_addr == '203.0.113.9:40000' and request.flow.transport == 'udp'
assert str(request.ruri) == 'sip:bob@example.com' and request.ruri == SipUri('sip:bob@EXAMPLE.com')
assert {request.ruri: 1}[SipUri('sip:bob@EXAMPLE.com')] == 1
assert SipUri('tel:+12125550100').is_tel and SipUri('sip:a@[2001:db8::1]:5070').port == 5070
request.reply(200)";
    let mut rig = handler(body);
    assert_eq!(rig.replied(&invite()), 200);
}

#[test]
fn values_whose_text_is_made_by_the_script_may_look_at_the_request() {
    let text = relayed(
        "class V:\n    uri = 'sip:v@w'\n    def __str__(self): return request.method\nrequest.set_header('X-M', V())\nrequest.add_header('X-N', V())\nclass B:\n    def __len__(self): return 1\n    def __getitem__(self, i):\n        request.call_id\n        if i: raise IndexError\n        return 65\nrequest.set_ruri(V())",
    );
    assert!(
        text.contains("X-M: INVITE") && text.contains("X-N: INVITE") && text.starts_with("INVITE sip:v@w"),
        "{text}"
    );
}
