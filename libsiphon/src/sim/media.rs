//! rtpengine on a simulated network: it allocates ports, rewrites `c=`, `o=` and `m=` lines, and keeps a table of the
//! calls it has media sessions for, which a test can look at. It can be dead, deaf, slow, full or forgetful.

use crate::base::time::{Duration, Instant};
use crate::wire::bencode::{Dictionary, Limits, Value, parse};
use std::collections::{BTreeMap, BTreeSet};

/// How an engine behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Manner {
    /// It answers at once.
    #[default]
    Prompt,
    /// It answers so much later.
    Slow(Duration),
    /// It hears nothing: its host is off, or the network between.
    Deaf,
    /// Its host is on, and nobody listens there.
    Dead,
    /// It takes no new calls.
    Full,
}

/// A call that an engine has media sessions for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Session {
    /// Call-ID.
    pub call_id: String,
    /// Tags of those who take part, in the order they were named.
    pub tags: Vec<String>,
    /// Ports that the call holds.
    pub ports: Vec<u16>,
    /// Offers and answers.
    pub exchanges: u32,
    /// The offer was answered.
    pub answered: bool,
    /// Tags whose media are blocked; an empty one stands for the whole call.
    pub blocked: BTreeSet<String>,
    /// Tags whose audio is silenced.
    pub silenced: BTreeSet<String>,
    /// It is recorded.
    pub recorded: bool,
}

/// A command as it arrived; one that came again is there once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// When.
    pub at: Instant,
    /// What it is.
    pub verb: String,
    /// Of which call.
    pub call_id: String,
    /// All of it.
    pub command: Dictionary,
}

/// One engine.
#[derive(Debug)]
pub struct Engine {
    /// The address it puts into SDPs.
    pub media_address: String,
    /// How it behaves.
    pub manner: Manner,
    /// Datagrams to and from it that are lost, per thousand.
    pub loss: u32,
    sessions: BTreeMap<String, Session>,
    /// Replies by cookie: a command that comes again is not done again.
    replies: BTreeMap<String, Vec<u8>>,
    heard: Vec<Heard>,
    next_port: u16,
}

/// The engines of a network, by the address their clients know them by.
#[derive(Debug, Default)]
pub struct Engines {
    engines: BTreeMap<String, Engine>,
    /// How long a datagram takes.
    pub delay: (Duration, Duration),
}

/// What becomes of a datagram to an engine.
#[derive(Debug)]
pub(crate) enum Fate {
    Lost,
    Unreachable,
    Replies(Vec<u8>, Duration),
}

impl Engines {
    /// Adds an engine that clients reach at `address`, or gives the one that is there.
    pub fn add(&mut self, address: &str) -> &mut Engine {
        let number = self.engines.len();
        self.engines.entry(address.to_owned()).or_insert_with(|| Engine {
            media_address: format!("198.18.1.{}", number.saturating_add(1)),
            manner: Manner::default(),
            loss: 0,
            sessions: BTreeMap::new(),
            replies: BTreeMap::new(),
            heard: Vec::new(),
            next_port: 30_000,
        })
    }

    /// An engine.
    pub fn get(&mut self, address: &str) -> Option<&mut Engine> {
        self.engines.get_mut(address)
    }

    /// All engines by their addresses.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Engine)> {
        self.engines.iter().map(|(address, engine)| (address.as_str(), engine))
    }

    /// The calls that any engine has media sessions for.
    pub fn sessions(&self) -> impl Iterator<Item = (&str, &Session)> {
        self.iter().flat_map(|(address, engine)| engine.sessions.values().map(move |s| (address, s)))
    }

    pub(crate) fn receive(&mut self, address: &str, datagram: &[u8], now: Instant) -> Fate {
        let Some(engine) = self.engines.get_mut(address) else { return Fate::Unreachable };
        let slow = match engine.manner {
            Manner::Deaf => return Fate::Lost,
            Manner::Dead => return Fate::Unreachable,
            Manner::Slow(by) => by,
            Manner::Prompt | Manner::Full => Duration::ZERO,
        };
        engine.handle(datagram, now).map_or(Fate::Lost, |reply| Fate::Replies(reply, slow))
    }
}

impl Engine {
    /// The calls it has media sessions for.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values()
    }

    /// The commands that reached it, pings left out.
    pub fn heard(&self) -> &[Heard] {
        &self.heard
    }

    /// It dies, and all it held is gone; `revive` starts it again.
    pub fn kill(&mut self) {
        self.manner = Manner::Dead;
        self.forget();
    }

    /// It is there and prompt again.
    pub fn revive(&mut self) {
        self.manner = Manner::Prompt;
    }

    /// It forgets every call, as one that was started again in no time.
    pub fn forget(&mut self) {
        self.sessions.clear();
        self.replies.clear();
    }

    fn handle(&mut self, datagram: &[u8], now: Instant) -> Option<Vec<u8>> {
        let space = datagram.iter().position(|o| *o == b' ')?;
        let (cookie, rest) = datagram.split_at(space);
        let cookie = String::from_utf8_lossy(cookie).into_owned();
        if let Some(reply) = self.replies.get(&cookie) {
            return Some(reply.clone());
        }
        let Ok(Value::Dictionary(command)) = parse(rest.get(1..)?, &Limits::default()) else { return None };
        let answer = self.answer(&command, now);
        let mut reply = format!("{cookie} ").into_bytes();
        Value::Dictionary(answer).write(&mut reply);
        self.replies.insert(cookie, reply.clone());
        Some(reply)
    }

    fn answer(&mut self, command: &Dictionary, now: Instant) -> Dictionary {
        let text =
            |key: &str| command.get(key.as_bytes()).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (verb, call_id) = (text("command"), text("call-id"));
        if verb == "ping" {
            return result("pong");
        }
        self.heard.push(Heard {
            at: now,
            verb: verb.clone(),
            call_id: call_id.clone(),
            command: command.clone(),
        });
        match verb.as_str() {
            "offer" if self.manner == Manner::Full && !self.sessions.contains_key(&call_id) => {
                result("load limit")
            }
            "offer" | "answer" => self.negotiate(&verb, call_id, command),
            "delete" => {
                let mut reply = result("ok");
                if self.sessions.remove(&call_id).is_none() {
                    let warning = Value::from("Call-ID not found or tags didn't match");
                    reply.insert(b"warning".to_vec(), warning);
                }
                reply
            }
            _ => match self.sessions.get_mut(&call_id) {
                Some(session) => session.command(&verb, text("from-tag")),
                None => refused("Unknown call-id"),
            },
        }
    }

    fn negotiate(&mut self, verb: &str, call_id: String, command: &Dictionary) -> Dictionary {
        let text = |key: &str| command.get(key.as_bytes()).and_then(Value::as_str).map(str::to_owned);
        let sdp = text("sdp").unwrap_or_default();
        if !sdp.starts_with("v=") {
            return refused("Failed to parse SDP");
        }
        if verb == "answer" && !self.sessions.contains_key(&call_id) {
            return refused("Unknown call-id");
        }
        let Some(from_tag) = text("from-tag") else { return refused("No from-tag in message") };
        let session =
            self.sessions.entry(call_id.clone()).or_insert_with(|| Session { call_id, ..Session::default() });
        session.exchanges = session.exchanges.saturating_add(1);
        session.answered |= verb == "answer";
        for tag in std::iter::once(from_tag).chain(text("to-tag")) {
            if !session.tags.contains(&tag) {
                session.tags.push(tag);
            }
        }
        session.recorded |= text("record call").as_deref() == Some("yes");
        let mut lines = String::with_capacity(sdp.len());
        for line in sdp.lines() {
            lines.push_str(&rewritten(line, &self.media_address, text("transport protocol"), || {
                let port = self.next_port;
                self.next_port = self.next_port.checked_add(2).unwrap_or(30_000);
                session.ports.push(port);
                port
            }));
            lines.push_str("\r\n");
        }
        let mut reply = result("ok");
        reply.insert(b"sdp".to_vec(), Value::from(lines.as_str()));
        reply
    }
}

/// One line of an SDP with the engine's address, and its port on an open media line.
fn rewritten(line: &str, address: &str, protocol: Option<String>, port: impl FnOnce() -> u16) -> String {
    if line.starts_with("c=IN ") {
        return format!("c=IN IP4 {address}");
    }
    if let Some(origin) = line.strip_prefix("o=") {
        let kept: Vec<&str> = origin.split(' ').take(3).collect();
        return format!("o={} IN IP4 {address}", kept.join(" "));
    }
    let Some(media) = line.strip_prefix("m=") else { return line.to_owned() };
    let mut words = media.splitn(4, ' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(kind), Some(old), Some(spoken), Some(formats)) if old != "0" => {
            format!("m={kind} {} {} {formats}", port(), protocol.as_deref().unwrap_or(spoken))
        }
        _ => line.to_owned(),
    }
}

impl Session {
    fn command(&mut self, verb: &str, tag: String) -> Dictionary {
        match verb {
            "block media" => self.blocked.insert(tag),
            "unblock media" => self.blocked.remove(&tag),
            "silence media" => self.silenced.insert(tag),
            "unsilence media" => self.silenced.remove(&tag),
            "start recording" => std::mem::replace(&mut self.recorded, true),
            "stop recording" => std::mem::replace(&mut self.recorded, false),
            "query" | "play media" => {
                let mut reply = result("ok");
                if verb == "query" {
                    let zero = || Value::Integer(0);
                    let counts = [("packets", zero()), ("bytes", zero()), ("errors", zero())];
                    let totals = dictionary([("RTP", dictionary(counts))]);
                    reply.insert(b"totals".to_vec(), totals);
                } else {
                    reply.insert(b"duration".to_vec(), Value::Integer(1000));
                }
                return reply;
            }
            "block DTMF" | "unblock DTMF" | "stop media" | "play DTMF" => true,
            _ => return refused("Unrecognized command"),
        };
        result("ok")
    }
}

fn dictionary<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Dictionary(entries.into_iter().map(|(k, v)| (k.as_bytes().to_vec(), v)).collect())
}

fn result(result: &str) -> Dictionary {
    Dictionary::from([(b"result".to_vec(), Value::from(result))])
}

fn refused(reason: &str) -> Dictionary {
    let mut refused = result("error");
    refused.insert(b"error-reason".to_vec(), Value::from(reason));
    refused
}

#[cfg(test)]
#[path = "media_tests.rs"]
mod tests;
