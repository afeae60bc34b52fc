//! `registrar.save` and the reply: one response on the wire in every case.

use super::fixture::{Rig, load, request};
use crate::policy::{Decision, ReplySpec};
use crate::script::LogLevel;

fn register(after_save: &str) -> Rig {
    load(&format!(
        "from siphon import proxy, registrar\n@proxy.on_request\ndef route(request):\n    registrar.save(request)\n    {after_save}\n"
    ))
}

fn reply(rig: &mut Rig) -> ReplySpec {
    let message = request("REGISTER", "sip:example.com", "");
    match rig.request(&message).decision {
        Some(Decision::Reply(spec)) => spec,
        other => panic!("{other:?}"),
    }
}

fn fail(rig: &Rig) {
    let mut spec = ReplySpec::code(423);
    spec.headers.push(("Min-Expires".into(), "60".into()));
    *rig.node.save_fails.lock().unwrap() = Some(spec);
}

fn stored(rig: &Rig) -> usize {
    rig.node.bindings.lock().unwrap().len()
}

#[test]
fn save_alone_answers_200_with_the_contacts() {
    let mut rig = register("pass");
    let spec = reply(&mut rig);
    assert_eq!((spec.code, spec.headers.len(), stored(&rig)), (200, 1, 1));
}

#[test]
fn a_later_reply_200_merges_into_the_recorded_one() {
    let mut rig = register("request.reply(200, 'Fine', headers={'X-Extra': 'yes'})");
    let spec = reply(&mut rig);
    assert_eq!((spec.code, spec.reason.as_deref()), (200, Some("Fine")));
    let names: Vec<&str> = spec.headers.iter().map(|(n, _)| &**n).collect();
    assert_eq!(names, ["Contact", "X-Extra"]);
    assert!(rig.log().is_empty());
}

#[test]
fn a_failed_save_alone_answers_with_its_failure() {
    let mut rig = register("pass");
    fail(&rig);
    let spec = reply(&mut rig);
    assert_eq!((spec.code, &*spec.headers[0].0), (423, "Min-Expires"));
}

#[test]
fn after_a_failed_save_a_reply_200_is_ignored_with_one_warning() {
    let mut rig = register("request.reply(200, 'OK')");
    fail(&rig);
    assert_eq!(reply(&mut rig).code, 423);
    let warnings = rig.logged(LogLevel::Warning);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("script.py:5") && warnings[0].contains("script.py:4"), "{warnings:?}");
}

#[test]
fn a_reply_403_after_a_good_save_rolls_the_binding_back() {
    let mut rig = register("request.reply(403)");
    assert_eq!(reply(&mut rig).code, 403);
    assert_eq!(stored(&rig), 0);
}

#[test]
fn an_exception_after_a_good_save_rolls_the_binding_back_and_is_500() {
    let mut rig = register("raise RuntimeError('no')");
    let verdict = rig.request(&request("REGISTER", "sip:example.com", ""));
    assert!(matches!(verdict.decision, Some(Decision::Failed(_))), "{verdict:?}");
    assert_eq!(stored(&rig), 0);
}

#[test]
fn save_says_whether_the_bindings_are_stored_and_natted_ones_are_told_so() {
    let mut rig = load(
        "from siphon import proxy, registrar\n@proxy.on_request('REGISTER')\ndef route(request):\n    request.fix_nated_register()\n    assert registrar.save(request) is True\n",
    );
    assert_eq!(reply(&mut rig).code, 200);
    assert_eq!(*rig.node.natted.lock().unwrap(), [true]);
}

#[test]
fn what_the_reference_takes_and_this_version_has_not_is_taken_with_its_default_only() {
    let mut rig = register("request.reply(200, 'Fine', reliable=False)");
    assert_eq!(reply(&mut rig).reason.as_deref(), Some("Fine"));
    let refused = |verb: &str| {
        let lines =
            format!("try:\n        {verb}\n    except ValueError as e:\n        request.reply(400, str(e))");
        reply(&mut register(&lines)).reason.map(|reason| reason.to_string())
    };
    let told = refused("request.reply(200, 'Fine', reliable=True)");
    assert_eq!(told.as_deref(), Some("request.reply(reliable=True) is not in this version"));
    let told = refused("registrar.save(request, flow_token='t')");
    assert_eq!(told.as_deref(), Some("registrar.save(flow_token=) is not in this version"));
    let default = "from siphon import proxy, registrar\n@proxy.on_request\ndef route(request):\n    \
                   registrar.save(request, flow_token=None)\n";
    assert_eq!(reply(&mut load(default)).code, 200);
}
