//! What belongs to a call for all its life: values, the authenticated user; and which script speaks for it.

use super::super::fixture::request;
use super::{about, actions, begun, done, failed, happened, may_call, on_invite, sbc, view, with};
use crate::base::text::Text;
use crate::policy::call::{MAX_VARS, Var};
use crate::policy::{CallAction, CallEvent, Initiator, Verdict};
use crate::script::{LogLevel, ScriptSource};

fn bye() -> CallEvent {
    CallEvent::Bye { initiator: Initiator::Caller }
}

fn vars(verdict: &Verdict) -> Vec<(Text, Var)> {
    match actions(verdict).first() {
        Some(CallAction::SetVars(vars)) => vars.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_of_a_call_are_kept_by_their_kind_and_none_removes() {
    let body = "v = call.vars\nv['s'] = 'x'\nv['i'] = 7\nv['b'] = True\nv['f'] = 1.5\nv['n'] = None\nv['gone'] = 1\ndel v['gone']\nv.update({'u': 1}, w=2)\nassert v['b'] is True and v.get('n') is None and 'n' not in v and len(v) == 6\nassert list(v) == v.keys() == ['s', 'i', 'b', 'f', 'u', 'w'] and v.values()[0] == 'x' and v.items()[1] == ('i', 7)\nassert v.pop('u') == 1 and v.pop('u', 9) == 9 and dict(v)['w'] == 2\ntry:\n    v['none']\nexcept KeyError: call.reject(603)";
    let verdict = begun(&mut on_invite(body));
    let kept = vars(&verdict);
    let find = |name: &str| kept.iter().find(|(n, _)| &**n == name).map(|(_, value)| value.clone());
    assert_eq!(find("s"), Some(Var::Text("x".into())));
    assert_eq!(
        (find("i"), find("b"), find("f")),
        (Some(Var::Int(7)), Some(Var::Bool(true)), Some(Var::Float(1.5)))
    );
    assert_eq!((find("n"), find("gone"), find("u")), (None, Some(Var::Null), Some(Var::Null)));
}

#[test]
fn values_of_a_call_have_their_limits() {
    for (wrong, error) in [
        ("call.vars['a'] = []", "TypeError: a call holds None, bool, int, float and str, not list"),
        ("call.vars['a'] = 'x' * 5000", "ValueError"),
        ("call.vars['x' * 5000] = 1", "ValueError"),
        ("call.vars[''] = 1", "ValueError"),
        ("call.vars['a'] = 1 << 70", "ValueError"),
        ("call.vars['siphon:auth_user'] = 'eve'", "are the node's own"),
        ("for n in range(100): call.vars[str(n)] = n", "at most 63 values"),
    ] {
        let verdict = begun(&mut on_invite(wrong));
        assert!(failed(&verdict).contains(error), "{wrong}: {verdict:?}");
    }
    let most = MAX_VARS - 1;
    let body = format!("for n in range({most}): call.vars[str(n)] = n\ncall.reject(603)");
    assert!(matches!(&done(&body)[0], CallAction::SetVars(all) if all.len() == most));
}

#[test]
fn what_an_earlier_handler_attached_is_there_for_a_later_one() {
    let mut rig = with(
        "on_bye",
        "call, initiator",
        "assert call.vars['a'] == 1 and 'gone' not in call.vars\ncall.vars['a'] = 2\ncall.vars['a'] = 3",
    );
    let mut call = view();
    call.vars = vec![("a".into(), Var::Int(1)), ("gone".into(), Var::Null)];
    let verdict = rig.ask(about(bye(), call));
    assert_eq!(vars(&verdict), [("a".into(), Var::Int(3))]);
}

#[test]
fn who_authenticated_is_known_to_later_handlers_and_hidden_from_the_values() {
    let mut rig = sbc(
        "@b2bua.on_invite\ndef on_invite(call):\n    if auth.require_proxy_digest(call): call.dial('sip:x@192.0.2.9')\n@b2bua.on_bye\ndef on_bye(call, initiator):\n    log.info(f'{call.auth_user} {len(call.vars)}')\n",
    );
    let known = request("INVITE", "sip:bob@example.com", "Proxy-Authorization: good alice");
    let mut call = view();
    call.vars = vars(&rig.ask(may_call(&known)));
    assert!(rig.ask(about(bye(), call)).decision.is_none());
    assert_eq!(rig.logged(LogLevel::Info), ["alice 0"]);
}

#[test]
fn a_running_call_is_spoken_for_by_the_newest_script() {
    let script = |name: &str| {
        format!(
            "from siphon import b2bua, log\n@b2bua.on_invite\ndef on_invite(call):\n    call.dial('sip:x@192.0.2.9')\n@b2bua.on_bye\ndef on_bye(call, initiator):\n    log.info({name:?})\n"
        )
    };
    let mut rig = sbc(&script("old"));
    assert!(begun(&mut rig).keep.is_none(), "a call holds no script");
    rig.script.set_source(ScriptSource::Embedded { name: "script.py".into(), text: script("new") });
    rig.script.reload().unwrap();
    happened(&mut rig, bye());
    assert_eq!(rig.logged(LogLevel::Info), ["new"]);
    assert_eq!(rig.script.old_generations(), 0);
}

#[test]
fn a_proxy_is_told_where_calls_are() {
    let text = "from siphon import b2bua\n";
    let error =
        super::super::fixture::try_load(super::super::fixture::settings(text)).err().expect("refused");
    let told = error.to_string();
    assert!(told.contains("'b2bua' is not available in siphon-proxy (available in: siphon-sbc)"), "{told}");
    let text = "from siphon import Call\n";
    let error =
        super::super::fixture::try_load(super::super::fixture::settings(text)).err().expect("refused");
    assert!(error.to_string().contains("'Call' is not available in siphon-proxy"), "{error}");
    let error = on_error("b2bua.originate('sip:x@y')");
    assert!(error.contains("b2bua.originate is not in this version: calls of the node's own"), "{error}");
}

fn on_error(body: &str) -> String {
    failed(&begun(&mut on_invite(body))).to_owned()
}
