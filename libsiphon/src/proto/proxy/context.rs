//! The response context (RFC 3261 16.7, with 16.6, 16.8, 16.9 and 16.10 as far as they choose): which branches are
//! opened and cancelled, and which responses go up.
//!
//! It makes no message but the 401 or 407 that gathers the challenges of all branches. Timers, client transactions and
//! the rule that CANCEL waits for a provisional response (9.1) are the engine's. The context ends with [`Output::Done`];
//! a proxied dialog needs nothing of it.

mod best;
mod waiting;

pub use best::{Best, Upward};

use crate::policy::{Strategy, Target};
use crate::wire::sip::Message;
use best::Candidates;
use smallvec::SmallVec;
use waiting::Waiting;

/// Names a branch of one context: the first opened is 0.
pub type BranchNo = u16;

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// Policy chose these targets; again when it chose more after a failure.
    Start {
        /// Whom to send to.
        targets: Vec<Target>,
        /// In which order.
        strategy: Strategy,
    },
    /// A 1xx came.
    Provisional {
        /// On which branch.
        branch: BranchNo,
        /// As received.
        response: Message,
    },
    /// A final response came, copies of a 2xx included (RFC 6026 8.3).
    Final {
        /// On which branch.
        branch: BranchNo,
        /// As received.
        response: Message,
    },
    /// The client transaction timed out (Timer B, D after CANCEL, or F): counts as 408 (16.8).
    BranchTimeout {
        /// Which branch.
        branch: BranchNo,
    },
    /// The branch could not be sent, by any of its targets. `status` is 503 for a lost transport or no route (16.9).
    BranchFailed {
        /// Which branch.
        branch: BranchNo,
        /// What it counts as.
        status: u16,
    },
    /// Timer C fired (16.8), or the time that policy gives a branch is over. The branch is cancelled and counts as 408
    /// from now on; should it succeed all the same, that is forwarded.
    RingTimeout {
        /// Which branch.
        branch: BranchNo,
    },
    /// The client cancelled the INVITE (16.10).
    Cancel,
}

/// What to do, in this order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Open a client transaction.
    Open {
        /// Its number.
        branch: BranchNo,
        /// Whom to send to.
        target: Box<Target>,
        /// Its Max-Breadth (RFC 5393 5.3.3.2).
        breadth: u16,
    },
    /// Send CANCEL, once a provisional response has come.
    CancelBranch {
        /// On which branch.
        branch: BranchNo,
    },
    /// Send this 1xx up.
    ForwardProvisional {
        /// Where it came from.
        branch: BranchNo,
        /// As received.
        response: Message,
    },
    /// Send this 2xx up. An INVITE may bring several.
    ForwardSuccess {
        /// Where it came from.
        branch: BranchNo,
        /// As received.
        response: Message,
    },
    /// All targets failed: this is the best final response, once for each [`Input::Start`].
    Best(Best),
    /// No client transaction is left. Unless policy starts again, the context can go.
    Done,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nothing has come.
    Trying,
    /// A provisional response has come.
    Proceeding,
    /// It counts as failed, and its client transaction has not ended yet.
    Counted,
    /// Its client transaction has had its final response, or ended without.
    Final,
}

#[derive(Clone, Copy, Debug)]
struct Branch {
    state: State,
    cancelled: bool,
    /// Taken from the breadth of the context while the branch is open.
    breadth: u16,
}

impl Branch {
    /// The context waits for it.
    fn is_pending(&self) -> bool {
        matches!(self.state, State::Trying | State::Proceeding)
    }
}

//   a branch:  Trying --1xx--> Proceeding --300-699, time-out, failure--> Final
//              Trying, Proceeding --RingTimeout--> Counted --any end--> Final
//   the context opens groups while nothing has succeeded, no 6xx came and nobody cancelled;
//   nothing pending and nothing waiting --> Best (unless a 2xx went up);   every branch Final --> Done
/// The branches of one request and the responses they brought.
#[derive(Clone, Debug)]
pub struct Context {
    branches: SmallVec<[Branch; 2]>,
    waiting: Waiting,
    candidates: Candidates,
    breadth_left: u16,
    most_branches: u16,
    invite: bool,
    /// A 2xx went up.
    succeeded: bool,
    /// The client cancelled.
    cancelled: bool,
    /// [`Output::Best`] was given for what was started; nothing is due before a start.
    settled: bool,
    done: bool,
}

impl Context {
    /// For a request of this kind, whose branches share `breadth` (from
    /// [`may_forward`](super::validate::may_forward)). Targets beyond `most_branches`, over all starts, are not tried.
    pub fn new(invite: bool, breadth: u16, most_branches: u16) -> Self {
        Context {
            branches: SmallVec::new(),
            waiting: Waiting::default(),
            candidates: Candidates::default(),
            breadth_left: breadth.max(1),
            most_branches,
            invite,
            succeeded: false,
            cancelled: false,
            settled: true,
            done: true,
        }
    }

    /// Whether a 2xx went up.
    pub fn has_succeeded(&self) -> bool {
        self.succeeded
    }

    /// Whether the client cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled
    }

    /// How many branches were opened.
    pub fn opened(&self) -> usize {
        self.branches.len()
    }

    /// Feeds one input; what follows from it is pushed onto `out`.
    pub fn handle(&mut self, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Start { targets, strategy } => self.start(targets, strategy),
            Input::Provisional { branch, response } => self.provisional(branch, response, out),
            Input::Final { branch, response } => self.final_response(branch, response, out),
            // After a CANCEL no final response came: what the client has is its 487 (9.1).
            Input::BranchTimeout { branch } => {
                let status = if self.cancelled { 487 } else { 408 };
                self.local_final(branch, status);
            }
            Input::BranchFailed { branch, status } => self.local_final(branch, status),
            Input::RingTimeout { branch } => self.ring_timeout(branch, out),
            Input::Cancel => self.cancel(out),
        }
        self.open(out);
        self.settle(out);
    }

    fn start(&mut self, targets: Vec<Target>, strategy: Strategy) {
        if self.succeeded {
            return;
        }
        if targets.is_empty() && self.branches.is_empty() {
            // Nobody to ask: the user is not there (RFC 3261 21.4.18).
            self.candidates.add_local(480);
        }
        // Behind a 6xx they are dropped again (16.7 step 5), and the best response is told once more.
        self.waiting.add(targets, strategy);
        self.settled = false;
        self.done = false;
    }

    /// 16.7 steps 2 and 5.
    fn provisional(&mut self, number: BranchNo, response: Message, out: &mut Vec<Output>) {
        let Some(branch) = self.branch(number).filter(|b| b.is_pending()) else { return };
        branch.state = State::Proceeding;
        let is_answered = self.succeeded || self.cancelled || self.settled;
        if response.status() > 100 && !is_answered {
            out.push(Output::ForwardProvisional { branch: number, response });
        }
    }

    fn final_response(&mut self, number: BranchNo, response: Message, out: &mut Vec<Output>) {
        let status = response.status();
        let Some(was_pending) = self.end_branch(number) else { return };
        if (200..300).contains(&status) {
            // 16.7 step 5: every 2xx to an INVITE goes up, late ones and copies too; to another request only the first,
            // and only while no other final response went up.
            if self.invite || !(self.succeeded || self.settled) {
                self.succeeded = true;
                out.push(Output::ForwardSuccess { branch: number, response });
                self.give_up(out);
            }
            return;
        }
        if !was_pending {
            return;
        }
        self.candidates.add(response);
        if status >= 600 {
            // 16.7 step 5: no new branches, and the others are cancelled; one may still succeed.
            self.give_up(out);
        }
    }

    fn local_final(&mut self, number: BranchNo, status: u16) {
        if self.end_branch(number) == Some(true) {
            self.candidates.add_local(status);
        }
    }

    fn ring_timeout(&mut self, number: BranchNo, out: &mut Vec<Output>) {
        let invite = self.invite;
        let Some(branch) = self.branch(number).filter(|b| b.is_pending()) else { return };
        branch.state = State::Counted;
        // It was told to end, so what it held is free for the next target: waiting for its 487 would hold up the call.
        let breadth = std::mem::take(&mut branch.breadth);
        if invite && !branch.cancelled {
            branch.cancelled = true;
            out.push(Output::CancelBranch { branch: number });
        }
        self.breadth_left = self.breadth_left.saturating_add(breadth);
        self.candidates.add_local(if self.cancelled { 487 } else { 408 });
    }

    /// 16.10. A CANCEL of anything but an INVITE has no effect (9.2).
    fn cancel(&mut self, out: &mut Vec<Output>) {
        if self.invite && !self.succeeded && !self.cancelled {
            self.cancelled = true;
            if self.branches.is_empty() {
                self.candidates.add_local(487);
                self.settled = false;
                self.done = false;
            }
            self.give_up(out);
        }
    }

    /// 16.7 step 10: what waits is dropped, what is pending is cancelled.
    fn give_up(&mut self, out: &mut Vec<Output>) {
        self.waiting.clear();
        if !self.invite {
            // RFC 3261 9.1: only an INVITE is worth a CANCEL.
            return;
        }
        for (number, branch) in (0..).zip(self.branches.iter_mut()) {
            if branch.is_pending() && !branch.cancelled {
                branch.cancelled = true;
                out.push(Output::CancelBranch { branch: number });
            }
        }
    }

    fn branch(&mut self, number: BranchNo) -> Option<&mut Branch> {
        self.branches.get_mut(usize::from(number))
    }

    /// `None` for no such branch; otherwise whether the context was still waiting for it.
    fn end_branch(&mut self, number: BranchNo) -> Option<bool> {
        let branch = self.branch(number)?;
        let was_pending = branch.is_pending();
        let breadth = std::mem::take(&mut branch.breadth);
        branch.state = State::Final;
        self.breadth_left = self.breadth_left.saturating_add(breadth);
        Some(was_pending)
    }

    /// No branch is opened any more.
    fn is_closed(&self) -> bool {
        self.succeeded || self.cancelled || self.candidates.has_global_failure()
    }

    fn is_pending(&self) -> bool {
        self.branches.iter().any(Branch::is_pending)
    }

    /// Opens what is due: the current group as far as the breadth reaches, the next group when nothing is pending.
    fn open(&mut self, out: &mut Vec<Output>) {
        if self.waiting.is_empty() {
            return;
        }
        if self.is_closed() || self.branches.len() >= usize::from(self.most_branches) {
            self.waiting.clear();
            return;
        }
        let mut pending = self.is_pending();
        while self.breadth_left > 0 && self.branches.len() < usize::from(self.most_branches) {
            let due = self.waiting.due(!pending);
            let Some(target) = self.waiting.next() else { return };
            pending = true;
            // RFC 5393 5.3.3.2: what the branches of a group get adds up to no more than what there is.
            let breadth = (self.breadth_left / due).max(1);
            self.breadth_left = self.breadth_left.saturating_sub(breadth);
            // Bounded by `most_branches`.
            let branch = self.branches.len() as BranchNo;
            self.branches.push(Branch { state: State::Trying, cancelled: false, breadth });
            out.push(Output::Open { branch, target: Box::new(target), breadth });
        }
        if self.branches.len() >= usize::from(self.most_branches) {
            self.waiting.clear();
        }
    }

    fn settle(&mut self, out: &mut Vec<Output>) {
        if self.is_pending() || !self.waiting.is_empty() {
            return;
        }
        if !self.succeeded && !self.settled {
            self.settled = true;
            out.push(Output::Best(self.candidates.best()));
        }
        if !self.done && self.branches.iter().all(|b| b.state == State::Final) {
            self.done = true;
            out.push(Output::Done);
        }
    }
}

#[cfg(test)]
#[path = "context_tests.rs"]
mod tests;
