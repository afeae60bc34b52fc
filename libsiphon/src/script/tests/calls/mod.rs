//! Calls of a B2BUA: which handler is asked, what each verb comes to, and when.

mod deciding;
mod dialling;
mod events;
mod keeping;
mod seed;

use super::fixture::{Rig, question, request, settings, try_load};
use crate::base::text::Text;
use crate::base::time::Duration;
use crate::policy::call::CallState;
use crate::policy::{
    CallAction, CallEvent, CallQuestion, CallView, Decision, Dial, Question, QuestionKind, Verdict,
};
use crate::proto::media::{Desk, Profiles};
use crate::script::{LogLevel, ScriptSettings};
use crate::wire::sip::Message;
use std::sync::Arc;

/// A script of siphon-sbc, with a media engine.
fn sbc(text: &str) -> Rig {
    let text = format!(
        "from siphon import b2bua, rtpengine, proxy, registrar, auth, log, timer, SipUri, Call, ByeInitiator\n{text}"
    );
    let settings = ScriptSettings { role: "siphon-sbc", budget: Duration::from_secs(60), ..settings(&text) };
    let rig = try_load(settings).unwrap_or_else(|e| panic!("{e}"));
    *rig.node.media.lock().unwrap() = Some(Arc::new(Desk::new(Profiles::default(), 1)));
    rig
}

fn indented(body: &str) -> String {
    body.trim_matches('\n').lines().map(|l| format!("    {l}\n")).collect()
}

/// A script whose `on_invite` has this body.
fn on_invite(body: &str) -> Rig {
    sbc(&format!("@b2bua.on_invite\ndef on_invite(call):\n{}", indented(body)))
}

/// A script whose calls dial, and which has this handler besides.
fn with(decorator: &str, arguments: &str, body: &str) -> Rig {
    sbc(&format!(
        "@b2bua.on_invite\ndef on_invite(call):\n    call.dial('sip:x@192.0.2.9')\n@b2bua.{decorator}\ndef handler({arguments}):\n{}",
        indented(body)
    ))
}

fn invite() -> Message {
    request("INVITE", "sip:bob@example.com", "X-One: 1\nSubject: hello")
}

/// The question about an INVITE that may begin a call.
fn may_call(message: &Message) -> Question {
    Question { may_call: Some("c-1".into()), ..question(message) }
}

fn begun(rig: &mut Rig) -> Verdict {
    rig.ask(may_call(&invite()))
}

fn view() -> CallView {
    CallView {
        id: "c-1".into(),
        state: CallState::Answered,
        vars: Vec::new(),
        anchored: true,
        callee: Some("sip:x@192.0.2.9".into()),
    }
}

fn about(event: CallEvent, call: CallView) -> Question {
    let kind = QuestionKind::Call(Box::new(CallQuestion { event, call }));
    Question { kind, ..question(&invite()) }
}

fn happened(rig: &mut Rig, event: CallEvent) -> Verdict {
    rig.ask(about(event, view()))
}

fn actions(verdict: &Verdict) -> &[CallAction] {
    match &verdict.decision {
        Some(Decision::Call(actions)) => actions,
        other => panic!("no call but {other:?}"),
    }
}

/// What on_invite with this body does.
fn done(body: &str) -> Vec<CallAction> {
    let mut rig = on_invite(body);
    let verdict = begun(&mut rig);
    assert!(rig.logged(LogLevel::Error).is_empty(), "{:?}", rig.log());
    actions(&verdict).to_vec()
}

/// The dial of on_invite with this body.
fn dialled(body: &str) -> Dial {
    match done(body).pop() {
        Some(CallAction::Dial(dial)) => *dial,
        other => panic!("no dial but {other:?}"),
    }
}

/// The INVITE of a call that on_invite with this body edits and dials.
fn edited(body: &str) -> String {
    let message = begun(&mut on_invite(&format!("{body}\ncall.dial('sip:x@192.0.2.9')"))).message;
    String::from_utf8(message.expect("edited").bytes().to_vec()).unwrap()
}

fn failed(verdict: &Verdict) -> &str {
    match &verdict.decision {
        Some(Decision::Failed(text)) => text,
        other => panic!("no failure but {other:?}"),
    }
}

fn texts(all: &[&str]) -> Vec<Text> {
    all.iter().map(|text| Text::from(*text)).collect()
}
