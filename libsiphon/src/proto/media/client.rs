//! The client of all rtpengine instances of a node: one machine, without sockets and clocks.
//!
//! A command is sent again until its reply comes, with the same cookie, so that it is done once. The offer of a new call
//! goes to another instance when the first one does not answer within half of the time, or says that it is full; all
//! other commands go to the instance that has the call. Every command gets a result within its instance's time-out.

use super::instances::{self, Health, Instance, State, Thresholds};
use super::{Action, Command, InstanceName, MediaFault, MediaReply, MediaRequest, MediaResult};
use crate::base::text::{Octets, Text, push_hex};
use crate::base::time::{Duration, Instant};
use crate::wire::ng::reply::{self, Answer};
use std::collections::{BTreeMap, BTreeSet};
use std::mem;

/// How the client works.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// The instances; those beyond the 64th are not used.
    pub instances: Vec<Instance>,
    /// When a command is sent again for the first time; then after twice as long each. Default 250 ms.
    pub resend_after: Duration,
    /// How often each instance is pinged; `None` leaves it to the calls to find out. Default 5 s.
    pub ping_every: Option<Duration>,
    /// How often one that did not answer is pinged, and without pings, how long it is left alone. Default 1 s.
    pub ping_down_every: Duration,
    /// Failures in a row that take an instance down. Default 3.
    pub down_after: u32,
    /// Answers in a row that bring it back. Default 2.
    pub up_after: u32,
    /// Commands that wait for their replies; one more is refused. Default 10,000.
    pub max_open: usize,
}

impl Settings {
    /// The defaults, for these instances.
    pub fn new(mut instances: Vec<Instance>) -> Self {
        instances.truncate(instances::MOST);
        Settings {
            instances,
            resend_after: Duration::from_millis(250),
            ping_every: Some(Duration::from_secs(5)),
            ping_down_every: Duration::from_secs(1),
            down_after: 3,
            up_after: 2,
            max_open: 10_000,
        }
    }
}

/// What the client is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// Do this, and tell the result under that token.
    Ask {
        /// Goes back with the result.
        token: u64,
        /// What to do.
        request: Box<MediaRequest>,
    },
    /// An instance sent a datagram.
    Datagram {
        /// Which.
        instance: usize,
        /// What.
        octets: &'a [u8],
    },
    /// The host of an instance says that nobody listens there.
    Unreachable {
        /// Which.
        instance: usize,
    },
}

/// What the world is to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Send a datagram to an instance.
    Send {
        /// Which.
        instance: usize,
        /// What.
        octets: Octets,
    },
    /// A command has its result.
    Done {
        /// Whose.
        token: u64,
        /// What came of it.
        result: Box<MediaResult>,
    },
    /// An instance does better or worse.
    HealthChanged {
        /// Which.
        instance: usize,
        /// How.
        health: Health,
    },
}

/// Counts since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Commands sent for the first time.
    pub sent: u64,
    /// Commands sent again.
    pub resent: u64,
    /// Attempts that got no reply.
    pub timed_out: u64,
    /// Offers that went to another instance.
    pub failed_over: u64,
    /// Replies that came too late, or twice.
    pub stale: u64,
    /// Datagrams that are no replies.
    pub malformed: u64,
}

/// Longest command, with its cookie: what fits a datagram over IPv4.
const LONGEST: usize = 65_507;

/// How long it is tried to take away what an offer that was given up may have left.
const CLEAN_UP: Duration = Duration::from_secs(30);

/// Who waits for a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum For {
    Asked(u64),
    /// A ping of our own.
    Health,
    /// What an offer that was given up may have left is taken away.
    CleanUp,
}

#[derive(Debug)]
struct Open {
    waits: For,
    command: Command,
    /// The caller named no instance: an offer may go elsewhere.
    is_new: bool,
    instance: usize,
    tried: u64,
    octets: Octets,
    resend_at: Instant,
    wait: Duration,
    give_up_at: Instant,
    deadline: Instant,
}

impl Open {
    fn due(&self) -> Instant {
        self.resend_at.min(self.give_up_at)
    }
}

/// The client.
#[derive(Debug)]
pub struct Client {
    settings: Settings,
    thresholds: Thresholds,
    instances: Vec<State>,
    /// Begins each cookie, so that replies to an earlier process match nothing.
    prefix: String,
    last: u64,
    open: BTreeMap<u64, Open>,
    due: BTreeSet<(Instant, u64)>,
    cleaning: BTreeMap<(Text, usize), u64>,
    stats: Stats,
}

impl Client {
    /// A client. `random` makes its cookies differ from those of every other.
    pub fn new(settings: Settings, random: u64, now: Instant) -> Self {
        let mut prefix = Vec::with_capacity(17);
        push_hex(&mut prefix, random, 16);
        let first_ping = settings.ping_every.map(|_| now);
        let instances = settings.instances.iter().take(instances::MOST);
        Client {
            instances: instances.map(|i| State::new(i.clone(), first_ping)).collect(),
            thresholds: Thresholds {
                down_after: settings.down_after.max(1),
                up_after: settings.up_after.max(1),
                rest: settings.ping_down_every,
            },
            settings,
            prefix: String::from_utf8_lossy(&prefix).into_owned(),
            last: 0,
            open: BTreeMap::new(),
            due: BTreeSet::new(),
            cleaning: BTreeMap::new(),
            stats: Stats::default(),
        }
    }

    /// Feeds one input; what must happen next is pushed onto `out`.
    pub fn handle(&mut self, input: Input<'_>, now: Instant, out: &mut Vec<Effect>) {
        match input {
            Input::Ask { token, request } => self.ask(token, *request, now, out),
            Input::Datagram { instance, octets } => self.datagram(instance, octets, now, out),
            Input::Unreachable { instance } => self.unreachable(instance, now, out),
        }
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: Instant, out: &mut Vec<Effect>) {
        while let Some((_, number)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            match self.open.get(&number) {
                Some(open) if open.give_up_at <= now => self.gave_up(number, now, out),
                Some(_) => self.resend(number, now, out),
                None => {
                    self.due.pop_first();
                }
            }
        }
        for index in 0..self.instances.len() {
            let due = |state: &&State| !state.pinging && state.ping_at.is_some_and(|at| at <= now);
            if self.instances.get(index).filter(due).is_some() {
                self.ping(index, now, out);
            }
        }
    }

    /// When `tick` is wanted.
    pub fn deadline(&self) -> Option<Instant> {
        let pings = self.instances.iter().filter(|s| !s.pinging).filter_map(|s| s.ping_at).min();
        [self.due.first().map(|(at, _)| *at), pings].into_iter().flatten().min()
    }

    /// The instances and how they do.
    pub fn instances(&self) -> impl Iterator<Item = (&InstanceName, Health)> {
        self.instances.iter().map(|state| (&state.instance.name, state.health))
    }

    /// Counts since the start.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Commands that wait for their replies, our own among them.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    // ---- sending ----------------------------------------------------------------------------------------------------

    fn ask(&mut self, token: u64, request: MediaRequest, now: Instant, out: &mut Vec<Effect>) {
        let MediaRequest { command, at } = request;
        let fault = |fault| Effect::Done { token, result: Box::new(Err(fault)) };
        if self.open.len() >= self.settings.max_open {
            return out.push(fault(MediaFault::Busy));
        }
        let is_new = at.is_none() && matches!(command.action, Action::Offer(_));
        let may_choose = is_new || command.action == Action::Ping;
        let chosen = match &at {
            Some(name) => self.instances.iter().position(|s| s.instance.name == *name),
            None if may_choose => self.choose(&command.party.call_id, 0, now, out),
            None => instances::by_call_id(&self.instances, &command.party.call_id),
        };
        match (chosen, at) {
            (Some(instance), _) => {
                let call = (command.party.call_id.clone(), instance);
                // What is offered now must not be taken away as what was offered before.
                if let Some(number) = self.cleaning.remove(&call) {
                    self.take(number);
                }
                let deadline = now + self.timeout(instance);
                let open = self.prepare(For::Asked(token), command, is_new, deadline);
                self.launch(Open { instance, ..open }, now, out);
            }
            (None, Some(name)) => out.push(fault(MediaFault::Unknown(name))),
            (None, None) => out.push(fault(MediaFault::Down)),
        }
    }

    /// An instance for a new call.
    fn choose(&mut self, call_id: &str, tried: u64, now: Instant, out: &mut Vec<Effect>) -> Option<usize> {
        let pings = self.settings.ping_every.is_some();
        for (index, state) in self.instances.iter_mut().enumerate() {
            if state.rested(&self.thresholds, pings, now) {
                out.push(Effect::HealthChanged { instance: index, health: state.health });
            }
        }
        instances::for_new_call(&self.instances, call_id, tried)
    }

    fn timeout(&self, instance: usize) -> Duration {
        self.instances.get(instance).map_or(Duration::ZERO, |s| s.instance.timeout)
    }

    fn prepare(&self, waits: For, command: Command, is_new: bool, deadline: Instant) -> Open {
        Open {
            waits,
            command,
            is_new,
            instance: 0,
            tried: 0,
            octets: Octets::from([]),
            resend_at: deadline,
            wait: self.settings.resend_after,
            give_up_at: deadline,
            deadline,
        }
    }

    /// Sends a command for the first time to its instance, under a cookie of its own.
    fn launch(&mut self, mut open: Open, now: Instant, out: &mut Vec<Effect>) {
        self.last = self.last.wrapping_add(1);
        let number = self.last;
        let datagram = open.command.datagram(&format!("{}-{number}", self.prefix));
        if datagram.len() > LONGEST {
            if let For::Asked(token) = open.waits {
                out.push(Effect::Done { token, result: Box::new(Err(MediaFault::TooLarge)) });
            }
            return;
        }
        open.tried |= instances::bit(open.instance);
        let elsewhere = open.is_new
            && instances::for_new_call(&self.instances, &open.command.party.call_id, open.tried).is_some();
        let left = open.deadline.since(now);
        open.give_up_at = if elsewhere { now + left / 2 } else { open.deadline };
        open.wait = self.settings.resend_after;
        open.resend_at = now + open.wait;
        open.octets = datagram.into();
        if let Some(state) = self.instances.get_mut(open.instance)
            && state.health == Health::HalfOpen
            && open.is_new
        {
            state.trial = Some(number);
        }
        self.stats.sent = self.stats.sent.saturating_add(1);
        out.push(Effect::Send { instance: open.instance, octets: open.octets.clone() });
        self.due.insert((open.due(), number));
        self.open.insert(number, open);
    }

    fn resend(&mut self, number: u64, now: Instant, out: &mut Vec<Effect>) {
        let Some(open) = self.open.get_mut(&number) else { return };
        self.due.remove(&(open.due(), number));
        open.wait = open.wait.saturating_mul(2);
        open.resend_at = now + open.wait;
        self.stats.resent = self.stats.resent.saturating_add(1);
        out.push(Effect::Send { instance: open.instance, octets: open.octets.clone() });
        self.due.insert((open.due(), number));
    }

    fn ping(&mut self, index: usize, now: Instant, out: &mut Vec<Effect>) {
        let Some(state) = self.instances.get_mut(index) else { return };
        state.pinging = true;
        let deadline = now + state.instance.timeout;
        let command = Command { party: Default::default(), action: Action::Ping };
        let open = self.prepare(For::Health, command, false, deadline);
        self.launch(Open { instance: index, ..open }, now, out);
    }

    /// The next ping of an instance; sooner while it does not answer.
    fn plan_ping(&mut self, index: usize, now: Instant) {
        let (every, down) = (self.settings.ping_every, self.settings.ping_down_every);
        let Some(state) = self.instances.get_mut(index) else { return };
        state.pinging = false;
        state.ping_at = every.map(|every| now + if state.is_sound() { every } else { every.min(down) });
    }

    // ---- answers ----------------------------------------------------------------------------------------------------

    /// Takes a command out of everything that knows it.
    fn take(&mut self, number: u64) -> Option<Open> {
        let open = self.open.remove(&number)?;
        self.due.remove(&(open.due(), number));
        if open.waits == For::CleanUp {
            self.cleaning.remove(&(open.command.party.call_id.clone(), open.instance));
        }
        if let Some(state) = self.instances.get_mut(open.instance)
            && state.trial == Some(number)
        {
            state.trial = None;
        }
        Some(open)
    }

    fn datagram(&mut self, instance: usize, octets: &[u8], now: Instant, out: &mut Vec<Effect>) {
        let Ok((cookie, answer)) = reply::read(octets) else {
            self.stats.malformed = self.stats.malformed.saturating_add(1);
            return;
        };
        let number =
            cookie.strip_prefix(self.prefix.as_str()).and_then(|rest| rest.strip_prefix('-')?.parse().ok());
        let number = number.filter(|n| self.open.get(n).is_some_and(|open| open.instance == instance));
        let Some(open) = number.and_then(|number| self.take(number)) else {
            self.stats.stale = self.stats.stale.saturating_add(1);
            return;
        };
        self.answered(instance, out);
        match open.waits {
            For::Asked(token) => self.conclude(token, open, answer, now, out),
            For::Health => self.plan_ping(instance, now),
            For::CleanUp => {}
        }
    }

    fn answered(&mut self, instance: usize, out: &mut Vec<Effect>) {
        if let Some(state) = self.instances.get_mut(instance)
            && state.answered(&self.thresholds)
        {
            out.push(Effect::HealthChanged { instance, health: state.health });
        }
    }

    fn conclude(&mut self, token: u64, open: Open, answer: Answer, now: Instant, out: &mut Vec<Effect>) {
        let result = match answer {
            Answer::LoadLimit if open.is_new => {
                return self.go_elsewhere(open, MediaFault::LoadLimit, now, out);
            }
            Answer::LoadLimit => Err(MediaFault::LoadLimit),
            Answer::Error(reason) => Err(MediaFault::Refused(reason)),
            Answer::Done(document) => match self.instances.get(open.instance) {
                Some(state) => {
                    let reply = MediaReply::of(state.instance.name.clone(), document);
                    if open.command.wants_sdp() && reply.sdp.is_none() {
                        Err(MediaFault::NoSdp)
                    } else {
                        Ok(reply)
                    }
                }
                None => Err(MediaFault::Down),
            },
        };
        out.push(Effect::Done { token, result: Box::new(result) });
    }

    // ---- failures ---------------------------------------------------------------------------------------------------

    /// No reply came in time.
    fn gave_up(&mut self, number: u64, now: Instant, out: &mut Vec<Effect>) {
        let Some(open) = self.take(number) else { return };
        self.stats.timed_out = self.stats.timed_out.saturating_add(1);
        let instance = open.instance;
        let went_down = self.failed(instance, now, out);
        match open.waits {
            For::Health => self.plan_ping(instance, now),
            For::CleanUp => {}
            For::Asked(_) => self.abandon(open, now, out),
        }
        if went_down {
            self.move_new_calls(instance, now, out);
        }
    }

    /// Whether the instance went down by it.
    fn failed(&mut self, instance: usize, now: Instant, out: &mut Vec<Effect>) -> bool {
        let Some(state) = self.instances.get_mut(instance) else { return false };
        let changed = state.failed(&self.thresholds, now);
        let soon = now + self.settings.ping_down_every;
        state.ping_at = state.ping_at.map(|at| at.min(soon));
        if changed {
            out.push(Effect::HealthChanged { instance, health: state.health });
        }
        changed
    }

    /// Nobody listens there: an offer need not wait to go elsewhere. All else waits out its time, in case an engine that
    /// is being started again comes back.
    fn unreachable(&mut self, instance: usize, now: Instant, out: &mut Vec<Effect>) {
        self.failed(instance, now, out);
        // What an engine held is gone with it.
        let cleaning = self.open.iter().filter(|(_, o)| o.instance == instance && o.waits == For::CleanUp);
        let numbers: Vec<u64> = cleaning.map(|(number, _)| *number).collect();
        for number in numbers {
            self.take(number);
        }
        self.move_new_calls(instance, now, out);
    }

    /// The offers of new calls that wait for this instance go elsewhere, those for whom there is an elsewhere.
    fn move_new_calls(&mut self, instance: usize, now: Instant, out: &mut Vec<Effect>) {
        let waiting = self.open.iter().filter(|(_, open)| {
            open.is_new
                && open.instance == instance
                && instances::for_new_call(&self.instances, &open.command.party.call_id, open.tried).is_some()
        });
        let numbers: Vec<u64> = waiting.map(|(number, _)| *number).collect();
        for number in numbers {
            if let Some(open) = self.take(number) {
                self.abandon(open, now, out);
            }
        }
    }

    /// A command without a reply: a new call is tried elsewhere, and what it may have left is taken away.
    fn abandon(&mut self, open: Open, now: Instant, out: &mut Vec<Effect>) {
        if open.is_new {
            self.clean_up(open.command.party.call_id.clone(), open.instance, now, out);
        }
        self.go_elsewhere(open, MediaFault::TimedOut, now, out);
    }

    fn go_elsewhere(&mut self, open: Open, fault: MediaFault, now: Instant, out: &mut Vec<Effect>) {
        let next = match open.is_new && now < open.deadline {
            true => self.choose(&open.command.party.call_id, open.tried, now, out),
            false => None,
        };
        match (next, open.waits) {
            (Some(instance), _) => {
                self.stats.failed_over = self.stats.failed_over.saturating_add(1);
                self.launch(Open { instance, ..open }, now, out);
            }
            (None, For::Asked(token)) => out.push(Effect::Done { token, result: Box::new(Err(fault)) }),
            (None, _) => {}
        }
    }

    /// The instance may have taken an offer whose reply was lost, and would hold its ports for an hour.
    fn clean_up(&mut self, call_id: Text, instance: usize, now: Instant, out: &mut Vec<Effect>) {
        if self.open.len() >= self.settings.max_open
            || self.cleaning.contains_key(&(call_id.clone(), instance))
        {
            return;
        }
        let deadline = now + self.timeout(instance).max(CLEAN_UP);
        let open = self.prepare(For::CleanUp, Command::delete(call_id.clone()), false, deadline);
        self.launch(Open { instance, ..open }, now, out);
        self.cleaning.insert((call_id, instance), self.last);
    }

    /// Ends all that is open, as when the process ends: each gets its result.
    pub fn close(&mut self, out: &mut Vec<Effect>) {
        self.due.clear();
        for (_, open) in mem::take(&mut self.open) {
            if let For::Asked(token) = open.waits {
                out.push(Effect::Done { token, result: Box::new(Err(MediaFault::Down)) });
            }
        }
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
