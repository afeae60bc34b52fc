//! Two UAs in one dialog on a wire that loses, copies and reorders, for the model check and the property tests of
//! [`OfferAnswer`]. Each message carries what it meant to its sender, so that a disagreement shows at once.

use super::offer_answer::{Carrier, Direction, Fault, Guard, Meaning, Need, OfferAnswer, State};

/// A session description: a number that its sender never uses again, and the offer that it answers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
struct Sdp {
    version: u8,
    answers: Option<u8>,
}

/// A message on the wire. The sender of the request and its CSeq name the transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) struct Packet {
    to: usize,
    uac: usize,
    cseq: u32,
    carrier: Carrier,
    /// Of a failure: whether it may be tried again.
    glare: bool,
    sdp: Option<Sdp>,
    meaning: Meaning,
}

/// What a UA sets out to do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(super) enum Want {
    /// An INVITE with an offer.
    Invite,
    /// An INVITE that asks for one.
    LateInvite,
    /// An UPDATE with an offer.
    Update,
}

/// What UAs may do beside the plainest answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Ways {
    /// An INVITE may first get a reliable 1xx with a session description.
    pub(super) reliable: bool,
    /// A PRACK may carry a new offer.
    pub(super) prack_offers: bool,
    /// An offer may be refused for what it says.
    pub(super) refusals: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Client {
    cseq: u32,
    request: Packet,
    want: Option<Want>,
    heard_reliable: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Server {
    cseq: u32,
    request: Carrier,
    /// Refused with a fault: the machine never took it in.
    refused: bool,
    response: Option<Packet>,
    done: bool,
    acked: bool,
    pracked: bool,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Ua {
    me: usize,
    machine: OfferAnswer,
    wants: Vec<Want>,
    retries: u8,
    clients: Vec<Client>,
    servers: Vec<Server>,
    acks: Vec<Packet>,
    next_cseq: u32,
    next_version: u8,
    /// The offer that is open.
    open: Option<u8>,
    /// Our and their session description in force.
    session: (u8, u8),
}

/// Two UAs have come to disagree.
pub(super) type Violation = String;

/// One thing that may happen next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Event {
    Start(usize, usize),
    Deliver(usize),
    Lose(usize),
    Copy(usize),
    /// Answers the server transaction at that place: with success, with a reliable 1xx, or with a refusal.
    Succeed(usize, usize),
    Progress(usize, usize),
    Refuse(usize, usize),
    /// The request, 1xx or 2xx is sent again.
    ResendRequest(usize, usize),
    ResendResponse(usize, usize),
}

/// Both UAs and the wire.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Pair {
    uas: [Ua; 2],
    wire: Vec<Packet>,
    pub(super) losses: u8,
    pub(super) copies: u8,
}

impl Pair {
    pub(super) fn new(wants: [&[Want]; 2], retries: u8, without: Option<Guard>) -> Self {
        let ua = |me: usize| {
            let mut machine = OfferAnswer::new();
            machine.without = without;
            Ua {
                me,
                machine,
                wants: wants[me].to_vec(),
                retries,
                clients: Vec::new(),
                servers: Vec::new(),
                acks: Vec::new(),
                next_cseq: 1,
                next_version: 1,
                open: None,
                session: (0, 0),
            }
        };
        Pair { uas: [ua(0), ua(1)], wire: Vec::new(), losses: 0, copies: 0 }
    }

    pub(super) fn with_faults(mut self, losses: u8, copies: u8) -> Self {
        (self.losses, self.copies) = (losses, copies);
        self
    }

    pub(super) fn machine(&self, ua: usize) -> OfferAnswer {
        self.uas[ua].machine
    }

    /// Everything that may happen. `ordered`: a message is delivered only when those before it were.
    pub(super) fn events(&self, ways: Ways, ordered: bool) -> Vec<Event> {
        let mut events = Vec::new();
        for at in 0..self.wire.len() {
            let first = self.wire.iter().position(|p| p.to == self.wire[at].to);
            let copy = at > 0 && self.wire[..at].contains(&self.wire[at]);
            if copy || (ordered && first != Some(at)) {
                continue;
            }
            events.push(Event::Deliver(at));
            if self.losses > 0 {
                events.push(Event::Lose(at));
            }
            if self.copies > 0 {
                events.push(Event::Copy(at));
            }
        }
        for (me, ua) in self.uas.iter().enumerate() {
            events.extend(
                (0..ua.wants.len()).filter(|&at| ua.may_start(ua.wants[at])).map(|at| Event::Start(me, at)),
            );
            for (at, client) in ua.clients.iter().enumerate() {
                if !self.in_flight(me, client.cseq) {
                    events.push(Event::ResendRequest(me, at));
                }
            }
            for (at, server) in ua.servers.iter().enumerate() {
                if server.done {
                    let ok = server.response.is_some_and(|r| r.carrier == Carrier::InviteOk);
                    if ok && !server.acked && !self.in_flight(1 - me, server.cseq) {
                        events.push(Event::ResendResponse(me, at));
                    }
                    continue;
                }
                if server.request == Carrier::Invite {
                    if ua.machine.need(Carrier::InviteOk, server.cseq).is_ok() {
                        events.push(Event::Succeed(me, at));
                    }
                    let waits = server.response.is_some() && !server.pracked;
                    if waits && !self.wire.iter().any(|p| p.uac == 1 - me) {
                        events.push(Event::ResendResponse(me, at));
                    }
                    if ways.reliable && server.response.is_none() {
                        events.push(Event::Progress(me, at));
                    }
                    if ways.refusals && server.response.is_none() {
                        events.push(Event::Refuse(me, at));
                    }
                } else {
                    events.push(Event::Succeed(me, at));
                    if ways.refusals && server.request == Carrier::Update {
                        events.push(Event::Refuse(me, at));
                    }
                }
            }
        }
        events
    }

    fn in_flight(&self, uac: usize, cseq: u32) -> bool {
        self.wire.iter().any(|p| (p.uac, p.cseq) == (uac, cseq))
    }

    pub(super) fn apply(&mut self, event: Event, ways: Ways) -> Result<(), Violation> {
        let mut sent = Vec::new();
        match event {
            Event::Start(me, at) => self.uas[me].start(at, &mut sent)?,
            Event::Deliver(at) => {
                let packet = self.wire.remove(at);
                self.uas[packet.to].receive(packet, ways, &mut sent)?;
            }
            Event::Lose(at) => {
                self.wire.remove(at);
                self.losses -= 1;
            }
            Event::Copy(at) => {
                sent.push(self.wire[at]);
                self.copies -= 1;
            }
            Event::Succeed(me, at) => self.uas[me].succeed(at, &mut sent)?,
            Event::Progress(me, at) => self.uas[me].progress(at, &mut sent)?,
            Event::Refuse(me, at) => self.uas[me].refuse(at, &mut sent)?,
            Event::ResendRequest(me, at) => sent.push(self.uas[me].clients[at].request),
            Event::ResendResponse(me, at) => sent.extend(self.uas[me].servers[at].response),
        }
        self.wire.extend(sent);
        Ok(())
    }

    /// The wire as a set: for exploring without regard to order.
    pub(super) fn unordered(mut self) -> Self {
        self.wire.sort_unstable();
        self
    }

    /// Nothing more can happen: both sides must have come to the same end.
    pub(super) fn settled(&self) -> Result<(), Violation> {
        let [a, b] = &self.uas;
        for ua in &self.uas {
            let busy = !ua.wants.is_empty() || !ua.clients.is_empty() || ua.servers.iter().any(|s| !s.done);
            if busy || ua.machine.state() != State::Idle || ua.machine.has_open_invite() || ua.open.is_some()
            {
                return Err(format!("stuck: {ua:?}"));
            }
        }
        let mirrored = (b.session.1, b.session.0);
        (a.session == mirrored).then_some(()).ok_or_else(|| format!("{:?} against {mirrored:?}", a.session))
    }
}

impl Ua {
    fn may_start(&self, want: Want) -> bool {
        let (carrier, sdp) = want.request();
        self.machine.check(Direction::Sent, carrier, self.next_cseq, sdp).is_ok()
    }

    fn start(&mut self, at: usize, sent: &mut Vec<Packet>) -> Result<(), Violation> {
        let want = self.wants.remove(at);
        let (carrier, sdp) = want.request();
        self.request(carrier, sdp, Some(want), sent)
    }

    fn request(
        &mut self,
        carrier: Carrier,
        sdp: bool,
        want: Option<Want>,
        sent: &mut Vec<Packet>,
    ) -> Result<(), Violation> {
        let cseq = self.next_cseq;
        self.next_cseq += 1;
        let request = self.send(self.me, cseq, carrier, sdp)?;
        self.clients.push(Client { cseq, request, want, heard_reliable: false });
        sent.push(request);
        Ok(())
    }

    /// Makes a message and tells the machine.
    fn send(&mut self, uac: usize, cseq: u32, carrier: Carrier, sdp: bool) -> Result<Packet, Violation> {
        let meaning = self
            .machine
            .handle(Direction::Sent, carrier, cseq, sdp)
            .map_err(|fault| format!("{} cannot send {carrier:?}: {fault}", self.me))?;
        let sdp = sdp.then(|| {
            let version = self.next_version;
            self.next_version += 1;
            Sdp { version, answers: if meaning == Meaning::Answer { self.open } else { None } }
        });
        self.keep(meaning, sdp, Direction::Sent)?;
        Ok(Packet { to: 1 - self.me, uac, cseq, carrier, glare: false, sdp, meaning })
    }

    /// What the user agent does with its session.
    fn keep(&mut self, meaning: Meaning, sdp: Option<Sdp>, direction: Direction) -> Result<(), Violation> {
        match (meaning, sdp) {
            (Meaning::Offer, Some(sdp)) => self.open = Some(sdp.version),
            (Meaning::Answer, Some(sdp)) => {
                let offer = self.open.take().ok_or("an answer without an offer")?;
                if sdp.answers != Some(offer) {
                    return Err(format!("{} takes the answer {sdp:?} for one to {offer}", self.me));
                }
                self.session = match direction {
                    Direction::Sent => (sdp.version, offer),
                    Direction::Received => (offer, sdp.version),
                };
            }
            (Meaning::Rollback, _) => self.open = None,
            _ => {}
        }
        Ok(())
    }

    /// Tells the machine of a message, and compares what it means here with what it meant to its sender.
    fn hear(&mut self, packet: Packet) -> Result<Result<(), Fault>, Violation> {
        match self.machine.handle(Direction::Received, packet.carrier, packet.cseq, packet.sdp.is_some()) {
            Err(fault) => Ok(Err(fault)),
            Ok(meaning) if meaning != packet.meaning => {
                Err(format!("{} hears {meaning:?} in {packet:?}", self.me))
            }
            Ok(meaning) => self.keep(meaning, packet.sdp, Direction::Received).map(Ok),
        }
    }

    fn receive(&mut self, packet: Packet, ways: Ways, sent: &mut Vec<Packet>) -> Result<(), Violation> {
        match packet.carrier {
            Carrier::Invite | Carrier::Update | Carrier::Prack => self.receive_request(packet, sent),
            Carrier::Ack => self.receive_ack(packet),
            _ => self.receive_response(packet, ways, sent),
        }
    }

    fn receive_request(&mut self, packet: Packet, sent: &mut Vec<Packet>) -> Result<(), Violation> {
        if let Some(server) = self.servers.iter().find(|s| s.cseq == packet.cseq) {
            sent.extend(server.response);
            return Ok(());
        }
        let mut server = Server {
            cseq: packet.cseq,
            request: packet.carrier,
            refused: false,
            response: None,
            done: false,
            acked: false,
            pracked: false,
        };
        match self.hear(packet)? {
            Ok(()) if packet.carrier == Carrier::Prack => {
                let hit = |s: &&mut Server| s.request == Carrier::Invite && s.response.is_some() && !s.done;
                if let Some(invite) = self.servers.iter_mut().find(hit) {
                    invite.pracked = true;
                }
            }
            Ok(()) => {}
            Err(fault) => {
                let Some(_) = fault.status() else { return Err(format!("{fault} in {packet:?}")) };
                if packet.carrier == Carrier::Prack {
                    return Err(format!("a PRACK is refused: {fault}"));
                }
                let response = self.failure(packet.carrier, packet.cseq, true);
                sent.push(response);
                (server.refused, server.done, server.response) = (true, true, Some(response));
            }
        }
        self.servers.push(server);
        Ok(())
    }

    fn failure(&self, request: Carrier, cseq: u32, glare: bool) -> Packet {
        let carrier = if request == Carrier::Invite { Carrier::InviteFailed } else { Carrier::UpdateFailed };
        let to = 1 - self.me;
        Packet { to, uac: to, cseq, carrier, glare, sdp: None, meaning: Meaning::Nothing }
    }

    fn succeed(&mut self, at: usize, sent: &mut Vec<Packet>) -> Result<(), Violation> {
        let (cseq, request) = (self.servers[at].cseq, self.servers[at].request);
        let carrier = match request {
            Carrier::Invite => Carrier::InviteOk,
            Carrier::Prack => Carrier::PrackOk,
            _ => Carrier::UpdateOk,
        };
        let sdp = self.must(carrier, cseq)?;
        let response = self.send(1 - self.me, cseq, carrier, sdp)?;
        let server = &mut self.servers[at];
        (server.response, server.done) = (Some(response), true);
        sent.push(response);
        Ok(())
    }

    fn must(&self, carrier: Carrier, cseq: u32) -> Result<bool, Violation> {
        match self.machine.need(carrier, cseq) {
            Ok(need) => Ok(matches!(need, Need::Must(_))),
            Err(fault) => Err(format!("{} cannot send {carrier:?}: {fault}", self.me)),
        }
    }

    fn progress(&mut self, at: usize, sent: &mut Vec<Packet>) -> Result<(), Violation> {
        let cseq = self.servers[at].cseq;
        let response = self.send(1 - self.me, cseq, Carrier::ReliableProvisional, true)?;
        self.servers[at].response = Some(response);
        sent.push(response);
        Ok(())
    }

    fn refuse(&mut self, at: usize, sent: &mut Vec<Packet>) -> Result<(), Violation> {
        let (cseq, request) = (self.servers[at].cseq, self.servers[at].request);
        let response = self.failure(request, cseq, false);
        let told = self.machine.handle(Direction::Sent, response.carrier, cseq, false);
        let meaning = told.map_err(|fault| format!("{} cannot refuse: {fault}", self.me))?;
        self.keep(meaning, None, Direction::Sent)?;
        let server = &mut self.servers[at];
        (server.response, server.done) = (Some(response), true);
        sent.push(response);
        Ok(())
    }

    fn receive_ack(&mut self, packet: Packet) -> Result<(), Violation> {
        let Some(at) = self.servers.iter().position(|s| s.cseq == packet.cseq) else { return Ok(()) };
        let first = !std::mem::replace(&mut self.servers[at].acked, true);
        if first {
            self.hear(packet)?.map_err(|fault| format!("{fault} in {packet:?}"))?;
        }
        Ok(())
    }

    fn receive_response(
        &mut self,
        packet: Packet,
        ways: Ways,
        sent: &mut Vec<Packet>,
    ) -> Result<(), Violation> {
        let Some(at) = self.clients.iter().position(|c| c.cseq == packet.cseq) else {
            if packet.carrier == Carrier::InviteOk {
                sent.extend(self.acks.iter().find(|ack| ack.cseq == packet.cseq));
            }
            return Ok(());
        };
        match packet.carrier {
            Carrier::ReliableProvisional => {
                if std::mem::replace(&mut self.clients[at].heard_reliable, true) {
                    return Ok(());
                }
                self.hear(packet)?.map_err(|fault| format!("{fault} in {packet:?}"))?;
                let sdp = match self.machine.need(Carrier::Prack, self.next_cseq) {
                    Ok(Need::Must(_)) => true,
                    Ok(Need::May(_)) => ways.prack_offers,
                    Ok(Need::No) => false,
                    Err(fault) => return Err(format!("no PRACK: {fault}")),
                };
                self.request(Carrier::Prack, sdp, None, sent)
            }
            Carrier::InviteFailed | Carrier::UpdateFailed => {
                let client = self.clients.remove(at);
                let told = self.machine.handle(Direction::Received, packet.carrier, packet.cseq, false);
                self.keep(told.map_err(|fault| fault.to_string())?, None, Direction::Received)?;
                if packet.glare && self.retries > 0 {
                    self.retries -= 1;
                    self.wants.extend(client.want);
                }
                Ok(())
            }
            _ => {
                self.clients.remove(at);
                self.hear(packet)?.map_err(|fault| format!("{fault} in {packet:?}"))?;
                if packet.carrier == Carrier::InviteOk {
                    let sdp = self.must(Carrier::Ack, packet.cseq)?;
                    let ack = self.send(self.me, packet.cseq, Carrier::Ack, sdp)?;
                    self.acks.push(ack);
                    sent.push(ack);
                }
                Ok(())
            }
        }
    }
}

impl Want {
    fn request(self) -> (Carrier, bool) {
        match self {
            Want::Invite => (Carrier::Invite, true),
            Want::LateInvite => (Carrier::Invite, false),
            Want::Update => (Carrier::Update, true),
        }
    }
}
