//! The policy of a role that runs no script: everything by the role's own procedure.

use crate::base::time::Instant;
use crate::policy::{
    Decision, Interest, Outcome, Policy, PolicyOutput, Question, QuestionKind, Ticket, Verdict, WaitId,
};

/// Answers every question at once with [`Decision::RoleProcedure`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Builtin;

impl Policy for Builtin {
    fn ask(&mut self, ticket: Ticket, question: Question, _now: Instant, out: &mut PolicyOutput) {
        let verdict = match question.kind {
            QuestionKind::Request => Verdict::of(Decision::RoleProcedure),
            QuestionKind::Reply { .. }
            | QuestionKind::Failure { .. }
            | QuestionKind::Cancelled
            | QuestionKind::Call(_) => Verdict::default(),
        };
        out.verdicts.push((ticket, verdict));
    }

    fn resume(&mut self, _wait: WaitId, _outcome: Outcome, _now: Instant, _out: &mut PolicyOutput) {}

    fn withdraw(&mut self, _ticket: Ticket, _now: Instant, _out: &mut PolicyOutput) {}

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn wake(&mut self, _now: Instant, _out: &mut PolicyOutput) {}

    fn interest(&self) -> Interest {
        Interest::default()
    }
}
