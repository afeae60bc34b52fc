//! Asking policy, and committing its verdicts.

use crate::base::flow::Flow;
use crate::base::slab::Key;
use crate::base::text::Text;
use crate::engine::contract::{Effect, Effects};
use crate::engine::parking::Waiting;
use crate::engine::shard::{Shard, TimerOf};
use crate::engine::tickets::{Pending, Purpose, StrayAck};
use crate::event::{Classes, Kind};
use crate::policy::{Decision, Question, QuestionKind, Ticket, Verdict};
use crate::wire::sip::Message;
use std::collections::VecDeque;

impl Shard {
    /// Opens a ticket that is answered for by `ticket_expired` when nobody else answers.
    pub(crate) fn open_ticket(&mut self, purpose: Purpose, call: Option<u64>) -> Ticket {
        let at = self.now + self.node.settings().policy_deadline;
        let wheel = &mut self.wheel;
        self.tickets.open(|ticket| Pending {
            purpose,
            timer: wheel.add(at, TimerOf::Ticket.pack(ticket.0)),
            call,
        })
    }

    /// Closes a ticket and disarms its deadline.
    pub(crate) fn close_ticket(&mut self, ticket: Ticket) -> Option<Pending> {
        let pending = self.tickets.close(ticket)?;
        self.wheel.cancel(pending.timer);
        Some(pending)
    }

    pub(crate) fn ask_about_request(&mut self, server: Key, out: &mut Effects) -> Ticket {
        let call = self
            .servers
            .get(server)
            .and_then(|s| s.work.as_ref())
            .map(|w| self.node.call_hash(w.request.call_id()));
        let ticket = self.open_ticket(Purpose::Request { server }, call);
        if let Some(call) = call {
            self.parking.asked(call, ticket);
        }
        self.ask(server, ticket, QuestionKind::Request, out);
        ticket
    }

    pub(crate) fn ask_about_reply(&mut self, server: Key, reply: Message, flow: Flow, out: &mut Effects) {
        let ticket = self.open_ticket(Purpose::Reply { server }, None);
        if let Some(work) = self.work(server) {
            work.asking_reply = Some(ticket);
        }
        self.ask(server, ticket, QuestionKind::Reply { reply, flow }, out);
    }

    pub(crate) fn ask_about_failure(
        &mut self,
        server: Key,
        reply: Message,
        is_local: bool,
        out: &mut Effects,
    ) {
        let ticket = self.open_ticket(Purpose::Failure { server }, None);
        self.ask(server, ticket, QuestionKind::Failure { reply, is_local }, out);
    }

    pub(crate) fn ask_notice(&mut self, server: Key, kind: QuestionKind, out: &mut Effects) {
        let ticket = self.open_ticket(Purpose::Notice, None);
        self.ask(server, ticket, kind, out);
    }

    fn ask(&mut self, server: Key, ticket: Ticket, kind: QuestionKind, out: &mut Effects) {
        let notice = matches!(kind, QuestionKind::Cancelled);
        let about_reply = matches!(kind, QuestionKind::Reply { .. });
        let may_call = match kind {
            QuestionKind::Request => {
                let work = self.servers.get(server).and_then(|s| s.work.as_ref());
                work.and_then(|work| self.may_call(&work.request, work.local_tag))
            }
            _ => None,
        };
        let Some(work) = self.work(server) else { return };
        if !notice && !about_reply {
            work.asking = Some(ticket);
            work.decided = false;
        }
        let question = Question {
            kind,
            request: work.edited.clone(),
            flow: work.flow,
            consumed_routes: work.consumed_routes,
            on_route: work.on_route,
            is_local: work.is_local,
            may_call,
            keep: work.keep.clone(),
        };
        self.stats.questions += 1;
        out.push(Effect::Ask { ticket, question: Box::new(question) });
    }

    pub(crate) fn ask_about_ack(&mut self, ack: Box<StrayAck>, out: &mut Effects) -> Ticket {
        let call = self.node.call_hash(ack.message.call_id());
        let question = Question {
            kind: QuestionKind::Request,
            request: ack.message.clone(),
            flow: ack.flow,
            consumed_routes: ack.consumed_routes,
            on_route: ack.on_route,
            is_local: ack.is_local,
            may_call: None,
            keep: None,
        };
        let ticket = self.open_ticket(Purpose::Ack { ack }, Some(call));
        self.parking.asked(call, ticket);
        self.stats.questions += 1;
        out.push(Effect::Ask { ticket, question: Box::new(question) });
        ticket
    }

    /// The answer to `ticket` is no longer wanted: its transaction was cancelled or has ended.
    pub(crate) fn withdraw(&mut self, ticket: Ticket, out: &mut Effects) {
        if let Some(pending) = self.close_ticket(ticket) {
            match pending.purpose {
                Purpose::Request { .. } | Purpose::Reply { .. } | Purpose::Failure { .. } => {
                    out.push(Effect::Withdraw { ticket });
                }
                _ => {}
            }
            self.call_answered(pending.call, ticket, out);
        }
    }

    /// The question is answered: what waited behind it goes on, in order.
    fn call_answered(&mut self, call: Option<u64>, ticket: Ticket, out: &mut Effects) {
        if let Some(call) = call {
            let waiting = self.parking.answered(call, ticket);
            self.ask_next(call, waiting, out);
        }
    }

    /// Asks about the first of what waited. Its handler may park in turn, so the others wait behind it.
    fn ask_next(&mut self, call: u64, mut waiting: VecDeque<Waiting>, out: &mut Effects) {
        while let Some(next) = waiting.pop_front() {
            let asked = match next {
                Waiting::Request(server) if self.work(server).is_some_and(|w| !w.cancelled) => {
                    self.ask_about_request(server, out)
                }
                Waiting::Request(_) => continue,
                Waiting::Ack(ack) => self.ask_about_ack(ack, out),
            };
            return self.parking.wait_behind(call, asked, waiting);
        }
    }

    pub(crate) fn on_decided(&mut self, ticket: Ticket, verdict: Verdict, out: &mut Effects) {
        if self.tickets.get(ticket).is_none() {
            self.stats.stale_answers += 1;
            return;
        }
        if !verdict.finished {
            if let Some(Purpose::Call { call } | Purpose::CallNotice { call }) =
                self.tickets.get(ticket).map(|p| &p.purpose)
            {
                let call = *call;
                return self.call_decided(call, ticket, verdict, out);
            }
            // The handler is parked: what it has recorded so far is committed, the ticket stays open.
            if let Some(Purpose::Request { server } | Purpose::Failure { server }) =
                self.tickets.get(ticket).map(|p| &p.purpose)
            {
                let server = *server;
                let decides = verdict.decision.is_some();
                self.commit_verdict(server, verdict, false, out);
                // What is decided holds nobody up any more, however long the handler goes on.
                if decides && let Some(call) = self.tickets.get(ticket).and_then(|p| p.call) {
                    let waiting = self.parking.decided(call, ticket);
                    self.ask_next(call, waiting, out);
                }
            }
            return;
        }
        let Some(pending) = self.close_ticket(ticket) else { return };
        match pending.purpose {
            Purpose::Request { server } => {
                self.release_question(server, ticket);
                self.commit_verdict(server, verdict, true, out);
                self.release_work(server);
            }
            Purpose::Failure { server } => {
                self.release_question(server, ticket);
                self.commit_failure_verdict(server, verdict, out);
            }
            Purpose::Reply { server } => self.commit_reply_verdict(server, verdict, out),
            Purpose::Ack { ack } => self.commit_ack_verdict(ack, verdict, out),
            Purpose::Notice => {}
            Purpose::Call { call } | Purpose::CallNotice { call } => {
                self.call_decided(call, ticket, verdict, out);
            }
            other => {
                // A verdict cannot answer DNS or the store; the ticket stays open for who can.
                debug_assert!(false, "a verdict for {other:?}");
            }
        }
        self.call_answered(pending.call, ticket, out);
    }

    fn release_question(&mut self, server: Key, ticket: Ticket) {
        if let Some(work) = self.work(server)
            && work.asking == Some(ticket)
        {
            work.asking = None;
        }
    }

    /// Takes over what the verdict carries beside its decision. `None` when the transaction is gone.
    fn absorb(&mut self, server: Key, verdict: &mut Verdict) -> Option<()> {
        let work = self.work(server)?;
        if let Some(message) = verdict.message.take() {
            (work.edited, work.spent) = (message, None);
        }
        work.consumed_routes = verdict.consumed_routes.unwrap_or(work.consumed_routes);
        work.script_line = verdict.script_line.take();
        work.reply_headers.append(&mut verdict.reply_headers);
        if let Some(keep) = verdict.keep.take() {
            work.keep = Some(keep);
            work.interest = verdict.interest;
        }
        Some(())
    }

    /// A verdict about a new request.
    fn commit_verdict(&mut self, server: Key, mut verdict: Verdict, finished: bool, out: &mut Effects) {
        if self.verdict_for_call(server, &mut verdict, finished, out) {
            return;
        }
        if self.absorb(server, &mut verdict).is_none() {
            return;
        }
        let commit = verdict.commit.take();
        let Some(work) = self.work(server) else { return };
        if work.decided {
            // One final answer per server transaction: the first decision stands. The adapter has logged the second.
            return;
        }
        match verdict.decision {
            Some(decision) => {
                work.decided = true;
                match commit {
                    Some(commit) => self.commit_to_store(server, commit, decision, out),
                    None => self.decide(server, decision, out),
                }
            }
            None if finished => {
                self.decide(server, Decision::Failed(Text::from("the policy decided nothing")), out);
            }
            None => {}
        }
    }

    /// A verdict about the best failure: deciding nothing sends it up.
    fn commit_failure_verdict(&mut self, server: Key, mut verdict: Verdict, out: &mut Effects) {
        if self.absorb(server, &mut verdict).is_none() {
            return;
        }
        match verdict.decision {
            None | Some(Decision::RoleProcedure) => self.send_best(server, out),
            Some(Decision::Failed(error)) => {
                self.tell_failed(server, &error, out);
                self.send_best(server, out);
            }
            // Nobody else knows anybody either: the failure policy is not asked about its own answer.
            Some(Decision::Fork { targets, .. }) if targets.is_empty() => {
                self.reply_code(server, 480, &[], out);
            }
            Some(decision) => self.decide(server, decision, out),
        }
    }

    pub(crate) fn tell_failed(&mut self, server: Key, error: &Text, out: &mut Effects) {
        let Some(call_id) = self.work(server).map(|w| Text::from(w.request.call_id())) else { return };
        let error = error.clone();
        self.tell(out, Classes::POLICY, || Kind::PolicyFailed { call_id, error });
    }

    /// What happens when nobody answered in time.
    pub(crate) fn ticket_expired(&mut self, ticket: Ticket, out: &mut Effects) {
        let Some(pending) = self.tickets.close(ticket) else { return };
        match pending.purpose {
            Purpose::Request { server } => {
                self.release_question(server, ticket);
                out.push(Effect::Withdraw { ticket });
                if self.work(server).is_some_and(|w| !w.decided) {
                    self.decide(
                        server,
                        Decision::Failed(Text::from("the policy did not answer in time")),
                        out,
                    );
                }
            }
            Purpose::Failure { server } => {
                self.release_question(server, ticket);
                out.push(Effect::Withdraw { ticket });
                self.send_best(server, out);
            }
            Purpose::Reply { server } => {
                out.push(Effect::Withdraw { ticket });
                self.commit_reply_verdict(server, Verdict::default(), out);
            }
            Purpose::Ack { .. } => out.push(Effect::Withdraw { ticket }),
            Purpose::Notice | Purpose::CallNotice { .. } => {}
            purpose @ (Purpose::Call { .. } | Purpose::LocateCall { .. }) => {
                self.call_ticket_expired(purpose, ticket, out);
            }
            Purpose::Locate { server, branch } => self.branch_unreachable(server, branch, out),
            Purpose::LocateAck { .. } => {}
            Purpose::LocateOriginated { request, .. } => {
                self.originated_failed(*request, "no answer from DNS", out)
            }
            Purpose::Commit { key, undo, reply } => self.store_refused(key, undo.as_ref(), reply, out),
            Purpose::MediaForPolicy { wait } => self.media_expired(wait, out),
            Purpose::MediaForCall { call, job } => self.media_for_call_done(call, job, None, out),
        }
        self.call_answered(pending.call, ticket, out);
    }
}
