//! Running the machines of `proto::transaction`: feeding inputs, doing what they ask, arming their timers.

use crate::base::slab::Key;
use crate::base::table::relax;
use crate::base::text::{Octets, Text};
use crate::base::time::Instant;
use crate::engine::client::{Cancel, Client, ClientOwner, GiveUp};
use crate::engine::contract::{Effects, SendReport};
use crate::engine::shard::{Shard, TimerOf};
use crate::event::{Classes, Kind, Side};
use crate::proto::transaction::client::{
    Client as ClientMachine, Input as ClientInput, Output as ClientOutput,
};
use crate::proto::transaction::server::{Input as ServerInput, Output as ServerOutput};
use crate::proto::transaction::{Class, Outputs};
use crate::wire::sip::{Message, Method, ack_for, cancel_for};

impl Shard {
    // ---- server side -------------------------------------------------------------------------------------

    pub(crate) fn feed_server(&mut self, key: Key, input: ServerInput, out: &mut Effects) {
        let now = self.now;
        let Some(server) = self.servers.get_mut(key) else { return };
        if let Some(cells) = &mut self.cells {
            cells.server(&server.machine, input, now);
        }
        let mut outputs = Outputs::new();
        server.machine.handle(input, now, &mut outputs);
        self.run_server(key, outputs, out);
    }

    pub(crate) fn server_tick(&mut self, key: Key, out: &mut Effects) {
        if let Some(server) = self.servers.get_mut(key) {
            server.timer = None;
            self.feed_server(key, ServerInput::Tick, out);
        }
    }

    /// Does what the machine asked. A `SendResponse` sends what `respond` has put into `last`.
    pub(crate) fn run_server(&mut self, key: Key, outputs: Outputs<ServerOutput>, out: &mut Effects) {
        for output in outputs {
            match output {
                ServerOutput::SendResponse | ServerOutput::ResendResponse => self.send_last(key, out),
                ServerOutput::Send100 => self.send_trying(key, out),
                ServerOutput::ForgetResponse => {
                    if let Some(server) = self.servers.get_mut(key) {
                        server.last = None;
                    }
                }
                ServerOutput::Terminated => return self.forget_server(key, out),
                // A 2xx's ACK bears another branch and never gets here; that no ACK came for a failure, or that
                // a response could not be sent, changes nothing for a proxy (RFC 3261 17.2.4, 16.9 is for requests).
                ServerOutput::PassToTu | ServerOutput::Timeout | ServerOutput::TransportError => {}
            }
        }
        if let Some(server) = self.servers.get_mut(key) {
            let wanted = server.machine.deadline();
            Shard::rearm(&mut self.wheel, &mut server.timer, wanted, TimerOf::Server, key);
        }
    }

    fn send_last(&mut self, key: Key, out: &mut Effects) {
        let Some(server) = self.servers.get(key) else { return };
        let (egress, method) = (server.back, server.method);
        if let Some(bytes) = server.last.clone() {
            let status = status_of(&bytes);
            self.send(egress, bytes, status, method, super::respond::report_for(key, &egress), out);
        }
    }

    /// A server transaction has ended: whatever still hangs on it ends with it.
    pub(crate) fn forget_server(&mut self, key: Key, out: &mut Effects) {
        let Some(server) = self.servers.remove(key) else { return };
        if !server.machine.is_answered() {
            self.unanswered -= 1;
        }
        if let Some((id, _)) = server.timer {
            self.wheel.cancel(id);
        }
        if let Ok(entry) = self.matching.find_entry(server.key.hash(), |k| *k == key) {
            entry.remove();
            let servers = &self.servers;
            relax(&mut self.matching, |k| servers.get(*k).map_or(0, |s| s.key.hash()));
        }
        if let Some(work) = server.work {
            for ticket in [work.asking, work.asking_reply].into_iter().flatten() {
                self.withdraw(ticket, out);
            }
        }
        if let Some(ticket) = server.merge {
            self.merged.leave(ticket);
        }
        if let Some(call_id) = &server.alias {
            self.node.aliases.release(call_id);
        }
        self.tell(out, Classes::TRANSACTIONS, || Kind::TransactionEnded { side: Side::Server });
    }

    // ---- client side -------------------------------------------------------------------------------------

    /// Starts a client transaction for octets whose Via names `key`, which the caller reserved.
    pub(crate) fn client_input(
        &mut self,
        key: Key,
        input: ClientInput,
        message: Option<&Message>,
        out: &mut Effects,
    ) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(key) else { return };
        if let Some(cells) = &mut self.cells {
            cells.client(&client.machine, input, now);
        }
        let mut outputs = Outputs::new();
        client.machine.handle(input, now, &mut outputs);
        self.run_client(key, outputs, message, out);
    }

    pub(crate) fn run_client(
        &mut self,
        key: Key,
        outputs: Outputs<ClientOutput>,
        message: Option<&Message>,
        out: &mut Effects,
    ) {
        for output in outputs {
            match output {
                ClientOutput::SendRequest => self.send_kept(key, false, out),
                ClientOutput::SendAck => {
                    self.make_ack(key, message);
                    self.send_kept(key, true, out);
                }
                ClientOutput::ResendAck => self.send_kept(key, true, out),
                ClientOutput::PassToTu => {
                    if let Some(message) = message {
                        self.response_for_tu(key, message, out);
                    }
                }
                ClientOutput::Timeout => self.client_timed_out(key, out),
                ClientOutput::TransportError => self.client_lost_transport(key, out),
                ClientOutput::ForgetRequest => {
                    if let Some(client) = self.clients.get_mut(key) {
                        client.sent = None;
                    }
                }
                ClientOutput::Terminated => return self.forget_client(key, out),
            }
        }
        self.rearm_client(key);
    }

    /// One wheel entry serves the machine and the moment the branch is given up.
    pub(crate) fn rearm_client(&mut self, key: Key) {
        if let Some(client) = self.clients.get_mut(key) {
            let wanted = match (client.machine.deadline(), client.give_up) {
                (Some(a), Some((b, _))) => Some(a.min(b)),
                (a, b) => a.or(b.map(|(at, _)| at)),
            };
            Shard::rearm(&mut self.wheel, &mut client.timer, wanted, TimerOf::Client, key);
        }
    }

    pub(crate) fn client_tick(&mut self, key: Key, out: &mut Effects) {
        let now = self.now;
        let Some(client) = self.clients.get_mut(key) else { return };
        client.timer = None;
        if client.give_up.is_some_and(|(at, _)| at <= now) {
            let why = client.give_up.take().map(|(_, why)| why);
            if let Some(why) = why {
                self.give_up_branch(key, why, out);
            }
        }
        self.client_input(key, ClientInput::Tick, None, out);
    }

    fn send_kept(&mut self, key: Key, ack: bool, out: &mut Effects) {
        let Some(client) = self.clients.get(key) else { return };
        let (egress, method) = (client.egress, if ack { Method::Ack } else { client.method });
        let bytes = if ack { client.ack.clone() } else { client.sent.clone() };
        if let Some(bytes) = bytes {
            self.send(egress, bytes, 0, method, Some(SendReport::Client(key)), out);
        }
    }

    fn make_ack(&mut self, key: Key, response: Option<&Message>) {
        if let (Some(client), Some(response)) = (self.clients.get_mut(key), response)
            && let Some(sent) = &client.sent
        {
            client.ack = Some(Octets::from(ack_for(sent, response)));
        }
    }

    pub(crate) fn forget_client(&mut self, key: Key, out: &mut Effects) {
        let Some(client) = self.clients.remove(key) else { return };
        if let Some(connection) = client.egress.connection {
            self.by_connection.remove(connection, key);
        }
        if let Some((id, _)) = client.timer {
            self.wheel.cancel(id);
        }
        if let ClientOwner::Call { call, client } = client.owner
            && !self.goes_on_elsewhere(call, client, key)
        {
            self.feed_call(call, crate::proto::b2bua::Input::Forgotten { client }, out);
        }
        self.tell(out, Classes::TRANSACTIONS, || Kind::TransactionEnded { side: Side::Client });
    }

    pub(crate) fn on_response(&mut self, flow: crate::base::flow::Flow, message: Message, out: &mut Effects) {
        let branch = message.via().branch.and_then(|b| self.node.branches.decode(b));
        let mut key = branch.filter(|b| b.shard == self.index).and_then(|b| b.key);
        if message.cseq_method() == Method::Cancel {
            key = key.and_then(|invite| match self.clients.get(invite)?.cancel {
                Cancel::Sent(cancel) => Some(cancel),
                _ => Some(invite),
            });
        }
        // RFC 3261 17.1.3: the branch and the CSeq method name the transaction. RFC 6026 forbids forwarding
        // what matches none.
        let known = key.filter(|k| self.clients.get(*k).is_some_and(|c| c.method == message.cseq_method()));
        let Some(key) = known else {
            self.stats.stray_responses += 1;
            return;
        };
        let class = Class::of(message.status());
        if class == Class::Provisional {
            self.provisional_came(key, out);
        }
        if let Some(client) = self.clients.get_mut(key) {
            client.reply_flow = Some(flow);
            client.proceeding = true;
        }
        self.client_input(key, ClientInput::Response(class), Some(&message), out);
    }

    /// A CANCEL that waited for a provisional response may leave now (RFC 3261 9.1).
    fn provisional_came(&mut self, key: Key, out: &mut Effects) {
        if self.clients.get(key).is_some_and(|c| c.cancel == Cancel::WhenProvisional) {
            self.send_cancel(key, out);
        }
    }

    /// Cancels an INVITE client transaction, now or as soon as a provisional response came.
    pub(crate) fn cancel_client(&mut self, key: Key, out: &mut Effects) {
        let Some(client) = self.clients.get_mut(key) else { return };
        if client.method != Method::Invite || client.cancel != Cancel::No {
            return;
        }
        if client.proceeding {
            self.send_cancel(key, out);
        } else {
            client.cancel = Cancel::WhenProvisional;
        }
    }

    fn send_cancel(&mut self, key: Key, out: &mut Effects) {
        let (now, patience) = (self.now, self.node.after_cancel());
        let Some(invite) = self.clients.get_mut(key) else { return };
        let Some(sent) = &invite.sent else { return };
        // RFC 3261 9.1: 64*T1 without a final response ends the INVITE all the same.
        invite.give_up = Some((now + patience, GiveUp::AfterCancel));
        let (bytes, egress, call_id) =
            (Octets::from(cancel_for(sent)), invite.egress, invite.call_id.clone());
        self.rearm_client(key);
        let cancel = self.reserve_client(Method::Cancel, egress, ClientOwner::Nobody, call_id);
        if let Some(invite) = self.clients.get_mut(key) {
            invite.cancel = Cancel::Sent(cancel);
        }
        self.launch_client(cancel, bytes, out);
    }

    /// Makes the entry, so that its key can be written into the Via, without starting the machine's timers.
    pub(crate) fn reserve_client(
        &mut self,
        method: Method,
        egress: crate::base::flow::Egress,
        owner: ClientOwner,
        call_id: Text,
    ) -> Key {
        let mut ignored = Outputs::new();
        let machine = ClientMachine::start(
            method == Method::Invite,
            egress.transport,
            self.node.timers(),
            self.now,
            &mut ignored,
        );
        let key = self.clients.insert(Client {
            machine,
            method,
            egress,
            owner,
            sent: None,
            ack: None,
            started: self.now,
            timer: None,
            give_up: None,
            cancel: Cancel::No,
            forwarded: None,
            reply_flow: None,
            proceeding: false,
            call_id,
        });
        if let Some(connection) = egress.connection {
            self.by_connection.add(connection, key);
        }
        key
    }

    /// Sends the first copy and arms the timers.
    pub(crate) fn launch_client(&mut self, key: Key, bytes: Octets, out: &mut Effects) {
        let Some(client) = self.clients.get_mut(key) else { return };
        client.sent = Some(bytes);
        let (method, call_id) = (client.method, client.call_id.clone());
        self.tell(out, Classes::TRANSACTIONS, || Kind::TransactionStarted {
            side: Side::Client,
            method,
            call_id,
        });
        self.send_kept(key, false, out);
        self.rearm_client(key);
    }

    pub(crate) fn on_send_failed(&mut self, report: SendReport, out: &mut Effects) {
        match report {
            SendReport::Client(key) => self.client_input(key, ClientInput::TransportError, None, out),
            SendReport::Ack(number) => self.ack_lost_flow(number, out),
            SendReport::Server(key) => {
                let waited = self.servers.get(key).is_some_and(|s| !s.machine.is_answered());
                self.feed_server(key, ServerInput::TransportError, out);
                // A machine that the error terminated is past asking whether it was answered.
                if waited && self.servers.get(key).is_none() {
                    self.unanswered -= 1;
                }
            }
        }
    }

    pub(crate) fn set_give_up(&mut self, key: Key, at: Instant, why: GiveUp) {
        if let Some(client) = self.clients.get_mut(key) {
            client.give_up = Some((at, why));
        }
        self.rearm_client(key);
    }
}

/// The status code of a response of ours, from its first line.
fn status_of(response: &[u8]) -> u16 {
    let digits = response.get(8..11).unwrap_or_default();
    digits.iter().fold(0, |n, d| n * 10 + u16::from(d.saturating_sub(b'0')))
}
