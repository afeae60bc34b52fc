//! The seed's script for calls and all else, unchanged.

use super::super::fixture::{Rig, binding, request, settings, try_load};
use super::{about, actions, begun, view};
use crate::policy::{CallAction, CallEvent, Decision, Initiator};
use crate::proto::media::{Desk, Profiles};
use crate::script::{LogLevel, ScriptSettings};
use std::sync::Arc;

fn hybrid() -> Rig {
    let text = include_str!("../../../../../tests/seed/sbc/hybrid.py");
    let settings = ScriptSettings { role: "siphon-sbc", ..settings(text) };
    let rig = try_load(settings).unwrap_or_else(|e| panic!("{e}"));
    *rig.node.media.lock().unwrap() = Some(Arc::new(Desk::new(Profiles::default(), 1)));
    rig
}

#[test]
fn an_invite_to_a_registered_user_is_anchored_once_and_dialled() {
    let mut rig = hybrid();
    rig.bind("bob@example.com", vec![binding("sip:bob@10.0.0.5:5062"), binding("sip:bob@10.0.0.6")]);
    let verdict = begun(&mut rig);
    let [CallAction::Anchor { profile: None }, CallAction::Dial(dial)] = actions(&verdict) else {
        panic!("{verdict:?}")
    };
    assert_eq!(dial.targets.len(), 2);
    assert!(verdict.message.expect("edited").header_named("X-One").is_none());
}

#[test]
fn an_invite_to_nobody_is_404_and_what_is_no_call_goes_to_on_request() {
    let mut rig = hybrid();
    assert!(matches!(actions(&begun(&mut rig)), [.., CallAction::Reject(spec)] if spec.code == 404));
    assert_eq!(rig.replied(&request("OPTIONS", "sip:example.com", "")), 200);
    assert_eq!(rig.replied(&request("MESSAGE", "sip:bob@example.com", "")), 405);
    let register = request("REGISTER", "sip:example.com", "Authorization: good alice");
    assert!(matches!(rig.request(&register).decision, Some(Decision::Reply(spec)) if spec.code == 200));
}

#[test]
fn the_end_of_a_call_frees_its_media_and_is_logged() {
    let mut rig = hybrid();
    let verdict = rig.ask(about(CallEvent::Bye { initiator: Initiator::Callee }, view()));
    assert_eq!(actions(&verdict), [CallAction::Release]);
    assert_eq!(rig.logged(LogLevel::Info), ["[call-1@host] ended by callee"]);
}
