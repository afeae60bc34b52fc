//! The media engines' client of a simulated node: the daemon's own machine, over the virtual wire.

use super::SimNode;
use crate::base::time::Instant;
use crate::engine::Input;
use crate::policy::Ticket;
use crate::proto::media::client::{self, Client, Effect};
use crate::proto::media::{MediaFault, MediaRequest};
use crate::sim::media::Fate;
use crate::sim::wire::{Event, MediaEvent, Wire};
use std::collections::BTreeMap;

/// The client, and who waits for it.
#[derive(Debug)]
pub(super) struct MediaSide {
    settings: client::Settings,
    client: Client,
    waiting: BTreeMap<u64, (u8, Ticket)>,
    last: u64,
    wake_at: Option<Instant>,
}

impl MediaSide {
    fn new(settings: client::Settings, wire: &mut Wire) -> MediaSide {
        let client = Client::new(settings.clone(), wire.rng.next_u64(), wire.now);
        MediaSide { settings, client, waiting: BTreeMap::new(), last: 0, wake_at: None }
    }

    /// As after a start of the node.
    pub(super) fn renewed(&self, wire: &mut Wire) -> MediaSide {
        MediaSide::new(self.settings.clone(), wire)
    }
}

impl SimNode {
    /// Gives the node engines, which are made where there are none at those addresses.
    pub(crate) fn set_media(&mut self, settings: client::Settings, wire: &mut Wire) {
        for instance in &settings.instances {
            wire.media.add(&instance.name.0);
        }
        self.media = Some(MediaSide::new(settings, wire));
        self.wake_media(wire);
    }

    /// The client of its engines.
    pub fn media(&self) -> Option<&Client> {
        self.media.as_ref().map(|side| &side.client)
    }

    pub(super) fn ask_media(
        &mut self,
        shard: u8,
        ticket: Ticket,
        request: Box<MediaRequest>,
        wire: &mut Wire,
    ) {
        let Some(side) = &mut self.media else {
            let result = Box::new(Err(MediaFault::NotConfigured));
            return self.later(wire.now, shard, Input::MediaDone { ticket, result }, wire);
        };
        side.last = side.last.wrapping_add(1);
        let token = side.last;
        side.waiting.insert(token, (shard, ticket));
        self.feed_media(
            |client, now, out| client.handle(client::Input::Ask { token, request }, now, out),
            wire,
        );
    }

    pub(crate) fn on_media(&mut self, life: u32, event: MediaEvent, wire: &mut Wire) {
        match event {
            // It is on the wire, whatever became of who sent it.
            MediaEvent::Command { instance, octets } => self.deliver(instance, &octets, life, wire),
            _ if life != self.life => {}
            MediaEvent::Reply { instance, octets } => {
                let input = client::Input::Datagram { instance, octets: &octets };
                self.feed_media(|client, now, out| client.handle(input, now, out), wire);
            }
            MediaEvent::Unreachable { instance } => {
                let input = client::Input::Unreachable { instance };
                self.feed_media(|client, now, out| client.handle(input, now, out), wire);
            }
            MediaEvent::Wake => {
                if let Some(side) = &mut self.media {
                    side.wake_at = None;
                }
                self.feed_media(|client, now, out| client.tick(now, out), wire);
            }
        }
    }

    /// A datagram has come to an engine.
    fn deliver(&mut self, instance: usize, octets: &[u8], life: u32, wire: &mut Wire) {
        let instances = self.media.as_ref().map(|side| &side.settings.instances);
        let Some(address) = instances.and_then(|all| all.get(instance)).map(|i| i.name.0.clone()) else {
            return;
        };
        let event = match wire.media.receive(&address, octets, wire.now) {
            Fate::Lost => return,
            Fate::Unreachable => MediaEvent::Unreachable { instance },
            Fate::Replies(octets, later) => {
                let at = wire.now + later + wire.between(wire.media.delay);
                return self.media_event(at, life, &address, MediaEvent::Reply { instance, octets }, wire);
            }
        };
        let at = wire.now + wire.between(wire.media.delay);
        self.media_event(at, life, &address, event, wire);
    }

    /// Puts something on its way, unless it gets lost.
    fn media_event(&self, at: Instant, life: u32, address: &str, event: MediaEvent, wire: &mut Wire) {
        let loss = wire.media.get(address).map_or(0, |engine| engine.loss);
        if !wire.rng.chance(loss) {
            wire.schedule(at, Event::Media { host: self.host, life, event });
        }
    }

    fn feed_media(&mut self, feed: impl FnOnce(&mut Client, Instant, &mut Vec<Effect>), wire: &mut Wire) {
        let Some(side) = &mut self.media else { return };
        let mut effects = Vec::new();
        feed(&mut side.client, wire.now, &mut effects);
        for effect in effects {
            match effect {
                Effect::Send { instance, octets } => {
                    let at = wire.now + wire.between(wire.media.delay);
                    let side = self.media.as_ref();
                    let address =
                        side.and_then(|s| s.settings.instances.get(instance)).map(|i| i.name.0.clone());
                    let event = MediaEvent::Command { instance, octets: octets.to_vec() };
                    self.media_event(at, self.life, address.as_deref().unwrap_or_default(), event, wire);
                }
                Effect::Done { token, result } => {
                    let waiting = self.media.as_mut().and_then(|side| side.waiting.remove(&token));
                    if let Some((shard, ticket)) = waiting {
                        self.later(wire.now, shard, Input::MediaDone { ticket, result }, wire);
                    }
                }
                Effect::HealthChanged { .. } => {}
            }
        }
        self.wake_media(wire);
    }

    pub(super) fn wake_media(&mut self, wire: &mut Wire) {
        let Some(side) = &mut self.media else { return };
        if let Some(at) = side.client.deadline()
            && side.wake_at.is_none_or(|armed| at < armed)
        {
            side.wake_at = Some(at);
            wire.schedule(at, Event::Media { host: self.host, life: self.life, event: MediaEvent::Wake });
        }
    }
}
