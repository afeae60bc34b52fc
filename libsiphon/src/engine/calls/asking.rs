//! Questions about a call, and the verdicts that come back.

use super::Hosted;
use crate::base::slab::Key;
use crate::base::text::Text;
use crate::engine::contract::{Effect, Effects};
use crate::engine::shard::Shard;
use crate::engine::tickets::Purpose;
use crate::event::{Classes, Kind};
use crate::policy::{
    CallAction, CallEvent, CallQuestion, Decision, Question, QuestionKind, ReplySpec, Ticket, Verdict,
};
use crate::proto::b2bua::{Call, Input, ServerRef};

/// What policy did with a call, in the words of the event stream.
pub(crate) fn named(actions: &[CallAction]) -> Text {
    let word = |action: &CallAction| match action {
        CallAction::Progress(spec) => Some(format!("progress {}", spec.code)),
        CallAction::Answer(spec) => Some(format!("answer {}", spec.code)),
        CallAction::Reject(spec) => Some(format!("reject {}", spec.code)),
        CallAction::Dial(dial) => Some(format!("dial {}", dial.targets.len())),
        CallAction::Terminate(_) => Some("terminate".into()),
        CallAction::AcceptRefer { .. } => Some("accept refer".into()),
        CallAction::RejectRefer(spec) => Some(format!("reject refer {}", spec.code)),
        CallAction::Refer { .. } => Some("refer".into()),
        _ => None,
    };
    let words: Vec<String> = actions.iter().filter_map(word).collect();
    words.join(", ").into()
}

impl Shard {
    /// A verdict about an INVITE that is a call, or becomes one with it. False when it is neither.
    pub(crate) fn verdict_for_call(
        &mut self,
        server: Key,
        verdict: &mut Verdict,
        finished: bool,
        out: &mut Effects,
    ) -> bool {
        let actions = match verdict.decision.take() {
            Some(Decision::Call(actions)) => actions,
            // The handler of a call that raised later, or had nothing more to say.
            other if self.servers.get(server).is_some_and(|s| s.call.is_some()) => {
                self.failed_on(server, other, out)
            }
            other => {
                verdict.decision = other;
                return false;
            }
        };
        let Some(call) = self.call_of(server, out) else { return true };
        self.tell_call_decided(call, &actions, verdict.script_line.take(), out);
        let input = Input::Decided {
            actions,
            message: verdict.message.take(),
            dropped: false,
            interest: Some(verdict.interest),
            finished,
        };
        self.feed_call(call, input, out);
        true
    }

    /// What a verdict that is no list of actions means for a call.
    fn failed_on(&mut self, server: Key, decision: Option<Decision>, out: &mut Effects) -> Vec<CallAction> {
        match decision {
            Some(Decision::Reply(spec)) => vec![CallAction::Reject(spec)],
            Some(Decision::Failed(error)) => {
                self.tell_failed(server, &error, out);
                vec![CallAction::Reject(ReplySpec::code(500))]
            }
            _ => Vec::new(),
        }
    }

    /// The call of an INVITE transaction, made with the first decision about it.
    fn call_of(&mut self, server: Key, out: &mut Effects) -> Option<Key> {
        let entry = self.servers.get(server)?;
        if let Some(call) = entry.call {
            return Some(call);
        }
        if entry.machine.is_answered() {
            return None;
        }
        if self.is_merged(server) {
            self.reply_code(server, 482, &[], out);
            return None;
        }
        let node = self.node.clone();
        let settings = node.settings().b2bua.as_ref()?;
        if self.calls.slab.len() >= node.settings().max_transactions {
            self.reply_code(server, 503, &[], out);
            return None;
        }
        let work = self.work(server)?;
        let (request, flow) = (work.request.clone(), work.flow);
        let tag: Text = crate::engine::respond::TagText::of(work.local_tag).as_str().into();
        let mut outputs = Vec::new();
        let named: Text = request.call_id().into();
        let call =
            Call::new(tag.clone(), tag, ServerRef(server.to_u64()), request, flow, settings, &mut outputs);
        let key = self.calls.slab.insert(Hosted {
            call,
            call_id: named,
            flow,
            timer: None,
            question: None,
            media: Default::default(),
            pending: Vec::new(),
            kept: Vec::new(),
        });
        if let Some(entry) = self.servers.get_mut(server) {
            entry.call = Some(key);
        }
        for output in outputs {
            self.perform(key, output, out);
        }
        Some(key)
    }

    pub(super) fn ask_about_call(&mut self, call: Key, event: CallEvent, out: &mut Effects) {
        let ticket = self.open_ticket(Purpose::Call { call }, None);
        if let Some(hosted) = self.calls.slab.get_mut(call) {
            hosted.question = Some(ticket);
        }
        self.put_to_policy(call, ticket, event, out);
    }

    pub(super) fn notify_about_call(&mut self, call: Key, event: CallEvent, out: &mut Effects) {
        let ticket = self.open_ticket(Purpose::CallNotice { call }, None);
        self.put_to_policy(call, ticket, event, out);
    }

    fn put_to_policy(&mut self, call: Key, ticket: Ticket, event: CallEvent, out: &mut Effects) {
        let Some(hosted) = self.calls.slab.get(call) else { return };
        let question = Question {
            kind: QuestionKind::Call(Box::new(CallQuestion { event, call: hosted.call.view() })),
            request: hosted.call.invite().clone(),
            flow: hosted.flow,
            consumed_routes: 0,
            on_route: false,
            is_local: false,
            may_call: None,
            keep: None,
        };
        self.stats.questions += 1;
        out.push(Effect::Ask { ticket, question: Box::new(question) });
    }

    /// A verdict about a question of a call.
    pub(crate) fn call_decided(
        &mut self,
        call: Key,
        ticket: Ticket,
        mut verdict: Verdict,
        out: &mut Effects,
    ) {
        let Some(hosted) = self.calls.slab.get_mut(call) else { return };
        let is_question = hosted.question == Some(ticket);
        if is_question && verdict.finished {
            hosted.question = None;
        }
        let call_id = hosted.call_id.clone();
        let dropped = matches!(verdict.decision, Some(Decision::Drop));
        let interest = matches!(verdict.decision, Some(Decision::Call(_))).then_some(verdict.interest);
        let actions = match verdict.decision.take() {
            Some(Decision::Call(actions)) => actions,
            Some(Decision::Reply(spec)) => vec![CallAction::Reject(spec)],
            Some(Decision::Failed(error)) => {
                self.tell(out, Classes::POLICY, || Kind::PolicyFailed { call_id, error });
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.tell_call_decided(call, &actions, verdict.script_line.take(), out);
        let finished = verdict.finished && is_question;
        let message = verdict.message.take();
        self.feed_call(call, Input::Decided { actions, message, dropped, interest, finished }, out);
    }

    fn tell_call_decided(
        &self,
        call: Key,
        actions: &[CallAction],
        script_line: Option<Text>,
        out: &mut Effects,
    ) {
        let decision = named(actions);
        if decision.is_empty() || !out.is_read(Classes::DECISIONS) {
            return;
        }
        let Some(hosted) = self.calls.slab.get(call) else { return };
        let (call_id, method) = (hosted.call_id.clone(), crate::wire::sip::Method::Invite);
        self.tell(out, Classes::DECISIONS, || Kind::Decided { call_id, method, decision, script_line });
    }
}
