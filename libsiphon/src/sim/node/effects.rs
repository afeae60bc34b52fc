//! What the shards of a simulated node want is done: sends, questions, look-ups, commits, wake-ups.

use super::SimNode;
use crate::base::flow::{Egress, Transport};
use crate::base::text::Octets;
use crate::base::time::Instant;
use crate::engine::{Effect, Input, Mail, SendReport};
use crate::event::{Classes, Event as Told, Kind};
use crate::policy::{PolicyOutput, Want};
use crate::sim::reading::Reading;
use crate::sim::wire::{Event, StreamId, Wire};
use std::collections::VecDeque;
use std::net::SocketAddr;

impl SimNode {
    pub(super) fn run(&mut self, shard: u8, input: Input, wire: &mut Wire) {
        self.run_all(shard, VecDeque::from([input]), wire);
    }

    pub(super) fn run_all(&mut self, shard: u8, mut inputs: VecDeque<Input>, wire: &mut Wire) {
        while let Some(input) = inputs.pop_front() {
            match &input {
                Input::Message { flow, message } | Input::Mail(Mail::Message { flow, message }) => {
                    wire.audit.node_received(self.address(), flow, message.bytes(), wire.now);
                }
                _ => {}
            }
            let mut passed = Vec::new();
            match &mut self.blueprint.seam {
                Some(seam) => seam.input(shard, input, wire.now, &mut passed),
                None => passed.push(input),
            }
            for input in passed {
                let Some(worker) = self.workers.get_mut(usize::from(shard)) else { return };
                worker.shard.handle(input, wire.now, &mut worker.effects);
                self.perform(shard, &mut inputs, wire);
            }
        }
        // Shards share the location table, so one may move the deadline of another.
        self.attend(wire);
    }

    pub(super) fn perform(&mut self, shard: u8, inputs: &mut VecDeque<Input>, wire: &mut Wire) {
        let Some(worker) = self.workers.get_mut(usize::from(shard)) else { return };
        for effect in std::mem::take(&mut worker.effects.list) {
            let mut passed = Vec::new();
            match &mut self.blueprint.seam {
                Some(seam) => seam.effect(shard, effect, wire.now, &mut passed),
                None => passed.push(effect),
            }
            for effect in passed {
                self.perform_one(shard, effect, inputs, wire);
            }
        }
    }

    fn perform_one(&mut self, shard: u8, effect: Effect, inputs: &mut VecDeque<Input>, wire: &mut Wire) {
        match effect {
            Effect::Send { egress, bytes, report } => self.send(shard, egress, bytes, report, inputs, wire),
            Effect::Ask { ticket, question } => {
                wire.audit.node_asked(self.blueprint.address, &question, wire.now);
                let mut output = PolicyOutput::default();
                if let Some(worker) = self.workers.get_mut(usize::from(shard)) {
                    worker.policy.ask(ticket, *question, wire.now, &mut output);
                }
                self.take_output(shard, output, inputs, wire);
            }
            Effect::Withdraw { ticket } => {
                let mut output = PolicyOutput::default();
                if let Some(worker) = self.workers.get_mut(usize::from(shard)) {
                    worker.policy.withdraw(ticket, wire.now, &mut output);
                }
                self.take_output(shard, output, inputs, wire);
            }
            Effect::LookUp { ticket, lookup } => {
                let Some(records) = wire.zone.answer(&lookup) else { return };
                let at = wire.now + wire.between(wire.zone.delay);
                self.later(at, shard, Input::LookedUp { ticket, records }, wire);
            }
            Effect::Media { ticket, request } => self.ask_media(shard, ticket, request, wire),
            Effect::Commit { ticket, commit } => {
                wire.store.commits += 1;
                let at = wire.now + wire.between(wire.store.delay);
                let (refused, silent) = (wire.store.refused, wire.store.silent);
                if wire.rng.chance(silent) {
                    return;
                }
                let input = match wire.rng.chance(refused) {
                    true => Input::CommitFailed { ticket },
                    false => {
                        // It is written just before it is acknowledged, so writes overtake each other.
                        wire.schedule(at, Event::Write { host: self.host, commit });
                        Input::Committed { ticket }
                    }
                };
                self.later(at, shard, input, wire);
            }
            Effect::Answered { wait, outcome } => {
                let mut output = PolicyOutput::default();
                if let Some(worker) = self.workers.get_mut(usize::from(shard)) {
                    worker.policy.resume(wait, *outcome, wire.now, &mut output);
                }
                self.take_output(shard, output, inputs, wire);
            }
            Effect::Post { to, mail } => self.mail(shard, to, *mail, wire),
            Effect::Tell(event) => {
                if let Some(watch) = &mut self.blueprint.watch {
                    watch.see(*event);
                }
            }
        }
    }

    pub(super) fn later(&mut self, at: Instant, shard: u8, input: Input, wire: &mut Wire) {
        wire.schedule(at, Event::Input { host: self.host, shard, life: self.life, input });
    }

    fn send(
        &mut self,
        shard: u8,
        egress: Egress,
        bytes: Octets,
        report: Option<SendReport>,
        inputs: &mut VecDeque<Input>,
        wire: &mut Wire,
    ) {
        if egress.transport == Transport::Udp {
            wire.audit.node_sent(self.blueprint.address, &egress, &bytes, wire.now);
        }
        if egress.transport == Transport::Udp && wire.rng.chance(wire.conditions.unsendable) {
            Reading::of(&bytes).into_iter().for_each(|r| wire.audit.excuse(r.call_id()));
            return inputs.extend(report.map(|report| Input::SendFailed { report }));
        }
        if egress.transport == Transport::Udp {
            let ours = |local: &SocketAddr| self.blueprint.listens.contains(&(Transport::Udp, *local));
            let from = egress.local.filter(ours).unwrap_or(self.blueprint.address);
            return wire.datagram(from, egress.remote, &bytes);
        }
        let wanted = egress.connection;
        let known = wanted.and_then(|c| Some((self.connections.stream_of(c)?, c.shard)));
        let known = known.or_else(|| match egress.may_connect {
            true => self.connections.outbound_to(egress.remote),
            false => None,
        });
        let known = match known {
            None if egress.may_connect => self.connect(shard, egress.remote, wire),
            known => known,
        };
        let connection = known.and_then(|(stream, _)| self.connections.get_mut(stream));
        let (id, opening) = connection.map_or((None, false), |c| (Some(c.id), c.waiting.is_some()));
        let egress = Egress { connection: id, ..egress };
        wire.audit.node_sent(self.blueprint.address, &egress, &bytes, wire.now);
        // What waits for a connection hears of it when it is open.
        if let Some((connection, report)) = id.filter(|id| wanted != Some(*id)).zip(report)
            && !opening
        {
            inputs.push_back(Input::SentOn { report, connection });
        }
        match known {
            Some((stream, owner)) if owner == shard => {
                self.write(shard, Some(stream), bytes, report.map(|r| (shard, r)), wire);
            }
            Some((_, owner)) => {
                let mail = Mail::Send { egress, bytes, report: report.map(|r| (shard, r)) };
                self.mail(shard, owner, mail, wire);
            }
            None => inputs.extend(report.map(|report| Input::SendFailed { report })),
        }
    }

    /// Begins to open a connection whose I/O `shard` does.
    fn connect(&mut self, shard: u8, remote: SocketAddr, wire: &mut Wire) -> Option<(StreamId, u8)> {
        let limits = self.node.as_ref()?.settings().limits.clone();
        let all = std::iter::once(self.blueprint.address).chain(self.blueprint.listens.iter().map(|l| l.1));
        let of_family = all.into_iter().find(|a| a.is_ipv4() == remote.is_ipv4())?;
        let local = SocketAddr::new(of_family.ip(), self.next_port);
        self.next_port = self.next_port.wrapping_add(1).max(30_000);
        wire.log.name(local, &self.blueprint.name);
        let stream = wire.connect(self.host, local, remote);
        self.connections.add(stream, shard, (local, remote), true, limits);
        Some((stream, shard))
    }

    /// Writes to a connection whose I/O `shard` does, or keeps the message until it is open.
    pub(super) fn write(
        &mut self,
        shard: u8,
        stream: Option<StreamId>,
        bytes: Octets,
        report: Option<(u8, SendReport)>,
        wire: &mut Wire,
    ) {
        let connection = stream.and_then(|s| Some((s, self.connections.get_mut(s)?)));
        if let Some((stream, connection)) = connection {
            if let Some(waiting) = &mut connection.waiting {
                return waiting.push((bytes, report));
            }
            if wire.write(stream, self.host, &bytes) {
                return;
            }
        }
        self.send_failed(shard, report, wire);
    }

    /// Never at once: the shard is told when it is done with what it does.
    pub(super) fn send_failed(&mut self, from: u8, report: Option<(u8, SendReport)>, wire: &mut Wire) {
        match report {
            Some((shard, report)) if shard == from => {
                self.later(wire.now, shard, Input::SendFailed { report }, wire);
            }
            Some((shard, report)) => self.mail(from, shard, Mail::SendFailed(report), wire),
            None => {}
        }
    }

    pub(super) fn schedule_wake(&mut self, shard: u8, wire: &mut Wire) {
        let Some(worker) = self.workers.get_mut(usize::from(shard)) else { return };
        let wanted = match (worker.shard.deadline(), worker.policy.deadline()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if let Some(at) = wanted
            && worker.wake_at.is_none_or(|armed| at < armed)
        {
            worker.wake_at = Some(at);
            wire.schedule(at, Event::Wake { host: self.host, shard });
        }
    }

    /// What a policy wants becomes inputs, verdicts first.
    pub(super) fn take_output(
        &mut self,
        shard: u8,
        output: PolicyOutput,
        inputs: &mut VecDeque<Input>,
        wire: &mut Wire,
    ) {
        let decided = |(ticket, verdict)| Input::Decided { ticket, verdict: Box::new(verdict) };
        inputs.extend(output.verdicts.into_iter().map(decided));
        for want in output.wants {
            match want {
                Want::SendRequest { wait, request } => {
                    inputs.push_back(Input::Originate { wait, request: Box::new(request) });
                }
                Want::Media { wait, request } => inputs.push_back(Input::Media { wait, request }),
                Want::Tell(notice) => {
                    self.tell(shard, Classes::HANDLERS, Kind::of(notice, true), wire);
                }
            }
        }
    }

    pub(super) fn tell_edge(&mut self, shard: u8, kind: Option<Kind>, wire: &mut Wire) {
        if let Some(kind) = kind {
            self.tell(shard, Classes::EDGE, kind, wire);
        }
    }

    /// Tells what the driver of the daemon tells, beside what the shards do.
    fn tell(&mut self, shard: u8, class: Classes, kind: Kind, wire: &mut Wire) {
        let Some(worker) = self.workers.get_mut(usize::from(shard)) else { return };
        let mut effects = std::mem::take(&mut worker.effects.list);
        worker.effects.tell(class, || Told { at: wire.now, shard, kind });
        std::mem::swap(&mut effects, &mut worker.effects.list);
        for effect in effects {
            if let (Effect::Tell(event), Some(watch)) = (effect, &mut self.blueprint.watch) {
                watch.see(*event);
            }
        }
    }
}
