//! Faults planted at the seam between driver and shards: the simulation proves itself by finding each of them. Nothing of
//! this is in the engine; what a shard takes in or gives out is dropped, doubled, held back or altered.

use siphon::base::flow::Transport;
use siphon::base::text::Octets;
use siphon::base::time::Instant;
use siphon::engine::{Effect, Input, Mail};
use siphon::policy::QuestionKind;
use siphon::sim::Seam;
use siphon::sim::reading::{Reading, param};
use std::collections::BTreeMap;
use std::time::Duration;

/// One fault: its name, and the kinds of traffic in which it is looked for.
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) kinds: &'static [&'static str],
    pub(super) make: fn() -> Box<dyn Seam>,
}

type OnEffect = fn(&mut Planted, Effect, Instant, &mut Vec<Effect>);
type OnInput = fn(&mut Planted, Input, Instant, &mut Vec<Input>);

/// A seam that runs one of the functions below.
struct Planted {
    on_effect: OnEffect,
    on_input: OnInput,
    /// What a fault has to remember: texts by text.
    memory: BTreeMap<String, Vec<u8>>,
    count: u64,
    held: Option<(Instant, Effect)>,
    late: Option<Input>,
}

impl Seam for Planted {
    fn input(&mut self, _: u8, input: Input, now: Instant, out: &mut Vec<Input>) {
        (self.on_input)(self, input, now, out);
    }

    fn effect(&mut self, _: u8, effect: Effect, now: Instant, out: &mut Vec<Effect>) {
        (self.on_effect)(self, effect, now, out);
    }
}

fn planted(on_effect: OnEffect, on_input: OnInput) -> Box<dyn Seam> {
    Box::new(Planted { on_effect, on_input, memory: BTreeMap::new(), count: 0, held: None, late: None })
}

fn effects(on_effect: OnEffect) -> Box<dyn Seam> {
    planted(on_effect, |_, input, _, out| out.push(input))
}

fn inputs(on_input: OnInput) -> Box<dyn Seam> {
    planted(|_, effect, _, out| out.push(effect), on_input)
}

/// What an effect sends, read; `None` for any other effect.
fn sent(effect: &Effect) -> Option<Reading<'_>> {
    match effect {
        Effect::Send { bytes, .. } => Reading::of(bytes),
        _ => None,
    }
}

fn is_sent(effect: &Effect, wanted: impl Fn(&Reading<'_>) -> bool) -> bool {
    sent(effect).is_some_and(|r| wanted(&r))
}

/// What a message input brings, read.
fn came(input: &Input) -> Option<Reading<'_>> {
    match input {
        Input::Message { message, .. } | Input::Mail(Mail::Message { message, .. }) => {
            Reading::of(message.bytes())
        }
        _ => None,
    }
}

fn is_response(r: &Reading<'_>, method: &str, statuses: std::ops::Range<u16>) -> bool {
    r.method() == method && statuses.contains(&r.status())
}

/// Rewrites the octets of a message that is sent.
fn rewritten(effect: Effect, change: impl FnOnce(String) -> String) -> Effect {
    match effect {
        Effect::Send { egress, bytes, report } => {
            let text = change(String::from_utf8_lossy(&bytes).into_owned());
            Effect::Send { egress, bytes: Octets::from(text.into_bytes()), report }
        }
        other => other,
    }
}

impl Planted {
    /// True for one in so many.
    fn one_in(&mut self, n: u64) -> bool {
        self.count += 1;
        self.count.is_multiple_of(n)
    }
}

/// All faults.
pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "a late 2xx is not forwarded",
        kinds: &["parallel forks", "cancelled calls"],
        // The second success of a fork, or the one that crosses a CANCEL.
        make: || {
            effects(|f, effect, _, out| {
                if let Some(r) = sent(&effect).filter(|r| is_response(r, "INVITE", 200..700)) {
                    let (key, tag) = (r.branch(0).to_owned(), r.tag("To").unwrap_or("").as_bytes().to_vec());
                    let first = f.memory.entry(key).or_insert_with(|| tag.clone());
                    if *first != tag && r.status() < 300 {
                        return;
                    }
                }
                out.push(effect);
            })
        },
    },
    Fault {
        name: "CANCEL leaves before a provisional response",
        kinds: &["cancelled calls", "serial forks and re-routing"],
        // Whatever provisional response a phone that is slow would have sent, the shard believes it came.
        make: || {
            effects(|f, effect, _, out| {
                let invite = sent(&effect).filter(|r| r.is_request() && r.method() == "INVITE");
                let cancel = invite.map(|r| String::from_utf8_lossy(r.bytes()).replace("INVITE", "CANCEL"));
                let egress = match &effect {
                    Effect::Send { egress, .. } => Some(*egress),
                    _ => None,
                };
                out.push(effect);
                if let (Some(text), Some(egress)) = (cancel, egress)
                    && f.one_in(40)
                {
                    out.push(Effect::Send { egress, bytes: Octets::from(text.into_bytes()), report: None });
                }
            })
        },
    },
    Fault {
        name: "policy is asked again about a retransmission",
        kinds: &["calls", "parked handlers"],
        make: || {
            effects(|f, effect, _, out| {
                if let Effect::Ask { ticket, question } = &effect
                    && matches!(question.kind, QuestionKind::Request)
                    && f.one_in(50)
                {
                    out.push(Effect::Ask { ticket: *ticket, question: question.clone() });
                }
                out.push(effect);
            })
        },
    },
    Fault {
        name: "Timer C is not restarted by a provisional response",
        kinds: &["long ringing"],
        // Only the first 180 of a branch reaches the shard.
        make: || {
            inputs(|f, input, _, out| {
                if let Some(r) = came(&input).filter(|r| is_response(r, "INVITE", 101..200)) {
                    let key = r.branch(0).to_owned();
                    if f.memory.insert(key, Vec::new()).is_some() {
                        return;
                    }
                }
                out.push(input);
            })
        },
    },
    Fault {
        name: "the ACK to a 2xx is lost",
        kinds: &["calls", "streams"],
        make: || {
            inputs(|f, input, _, out| {
                if came(&input).is_some_and(|r| r.is_request() && r.method() == "ACK") {
                    let call = came(&input).map(|r| r.call_id().to_owned()).unwrap_or_default();
                    let marked = f.memory.contains_key(&call);
                    if marked || f.one_in(30) {
                        f.memory.insert(call, Vec::new());
                        return;
                    }
                }
                out.push(input);
            })
        },
    },
    Fault {
        name: "a worse response is chosen",
        kinds: &["parallel forks"],
        // The first failure of a fork goes up in place of the best one.
        make: || {
            planted(
                |f, effect, _, out| {
                    let chosen = sent(&effect).filter(|r| is_response(r, "INVITE", 300..700)).and_then(|r| {
                        let worse = f.memory.get(r.call_id())?;
                        let (status, tag) = std::str::from_utf8(worse).ok()?.split_once(' ')?;
                        let own = r.tag("To")?.to_owned();
                        (status != r.status().to_string())
                            .then(|| (r.status().to_string(), status.to_owned(), own, tag.to_owned()))
                    });
                    match chosen {
                        Some((status, worse, own, tag)) => out.push(rewritten(effect, |text| {
                            text.replacen(&status, &worse, 1).replacen(&own, &tag, 1)
                        })),
                        None => out.push(effect),
                    }
                },
                |f, input, _, out| {
                    if let Some(r) = came(&input).filter(|r| is_response(r, "INVITE", 486..500)) {
                        let text = format!("{} {}", r.status(), r.tag("To").unwrap_or(""));
                        f.memory.insert(r.call_id().to_owned(), text.into_bytes());
                    }
                    out.push(input);
                },
            )
        },
    },
    Fault {
        name: "challenges of other branches are not gathered",
        kinds: &["parallel forks"],
        make: || {
            effects(|_, effect, _, out| {
                if is_sent(&effect, |r| r.method() == "INVITE" && matches!(r.status(), 401 | 407)) {
                    return out.push(rewritten(effect, |text| {
                        let mut seen = false;
                        let keep = |line: &&str| {
                            let challenge = line.contains("-Authenticate:");
                            let first = challenge && !seen;
                            seen |= challenge;
                            !challenge || first
                        };
                        text.split_inclusive("\r\n").filter(keep).collect()
                    }));
                }
                out.push(effect);
            })
        },
    },
    Fault {
        name: "a ticket that nobody answers never expires",
        kinds: &["parked handlers"],
        // The 500 at the deadline is kept back.
        make: || {
            effects(|_, effect, _, out| {
                out.extend(Some(effect).filter(|e| !is_sent(e, |r| r.status() == 500)))
            })
        },
    },
    Fault {
        name: "an answer is taken for the next user of its slot",
        kinds: &["calls", "cancelled calls"],
        // A response is given to the transaction that used its slot last: the branch of an earlier call.
        make: || {
            effects(|f, effect, _, out| {
                if let Some(r) = sent(&effect).filter(|r| is_response(r, "INVITE", 200..300)) {
                    let (branch, call_id) = (r.branch(0).to_owned(), r.call_id().to_owned());
                    let earlier = f.memory.insert("branch".to_owned(), branch.clone().into_bytes());
                    let earlier = earlier.and_then(|b| String::from_utf8(b).ok()).filter(|b| *b != branch);
                    if let Some(earlier) = earlier
                        && !call_id.is_empty()
                        && f.one_in(30)
                    {
                        return out.push(rewritten(effect, |text| text.replacen(&branch, &earlier, 1)));
                    }
                }
                out.push(effect);
            })
        },
    },
    Fault {
        name: "a held reply is overtaken by a later one",
        kinds: &["edited replies"],
        // The 180 that policy is asked about leaves after the 200.
        make: || {
            effects(|f, effect, now, out| {
                let call_id = sent(&effect).map(|r| r.call_id().to_owned()).unwrap_or_default();
                if is_sent(&effect, |r| is_response(r, "INVITE", 180..181)) && f.held.is_none() {
                    f.memory.insert("call".to_owned(), call_id.into_bytes());
                    f.held = Some((now, effect));
                    return;
                }
                let ends = is_sent(&effect, |r| is_response(r, "INVITE", 200..300));
                let same = f.memory.get("call").is_some_and(|c| *c == call_id.as_bytes());
                out.push(effect);
                if ends && same {
                    out.extend(f.held.take().map(|(_, e)| e));
                }
                f.held = f.held.take().filter(|(at, _)| now.since(*at) < Duration::from_secs(20));
            })
        },
    },
    Fault {
        name: "the losers of a fork are not cancelled",
        kinds: &["parallel forks", "cancelled calls"],
        make: || {
            effects(|_, effect, _, out| {
                let cancel = is_sent(&effect, |r| r.is_request() && r.method() == "CANCEL");
                out.extend(Some(effect).filter(|_| !cancel));
            })
        },
    },
    Fault {
        name: "the ACK to a failure is forwarded",
        kinds: &["refusals"],
        make: || {
            planted(
                |f, effect, _, out| {
                    // Where the callee is, and with which Via our messages to it begin.
                    if let (Some(r), Effect::Send { egress, .. }) = (sent(&effect), &effect)
                        && r.is_request()
                        && r.method() == "INVITE"
                    {
                        let hop = format!("{} {}", egress.remote, r.via(0).unwrap_or(""));
                        f.memory.insert(r.call_id().to_owned(), hop.into_bytes());
                    }
                    out.push(effect);
                    if let Some((at, ack)) = f.held.take() {
                        let _ = at;
                        out.push(ack);
                    }
                },
                |f, input, now, out| {
                    if let Some(r) = came(&input).filter(|r| r.is_request() && r.method() == "ACK") {
                        let hop = f
                            .memory
                            .get(r.call_id())
                            .and_then(|h| std::str::from_utf8(h).ok()?.split_once(' '));
                        if let Some((remote, via)) = hop
                            && let Ok(remote) = remote.parse()
                        {
                            let branch = format!("{}f", param(via, "branch").unwrap_or(""));
                            let own = via.replace(param(via, "branch").unwrap_or("-"), &branch);
                            let text = String::from_utf8_lossy(r.bytes()).replacen(
                                "Via:",
                                &format!("Via: {own}\r\nVia:"),
                                1,
                            );
                            let egress = siphon::base::flow::Egress {
                                transport: Transport::Udp,
                                local: None,
                                remote,
                                connection: None,
                                may_connect: true,
                            };
                            let bytes = Octets::from(text.into_bytes());
                            f.held = Some((now, Effect::Send { egress, bytes, report: None }));
                        }
                    }
                    out.push(input);
                },
            )
        },
    },
    Fault {
        name: "a response leaves for the Via port in spite of rport",
        kinds: &["network address translation"],
        make: || {
            effects(|_, effect, _, out| {
                let port = sent(&effect)
                    .filter(|r| !r.is_request())
                    .and_then(|r| r.sent_by(0).rsplit_once(':').and_then(|(_, p)| p.parse().ok()));
                out.push(match (effect, port) {
                    (Effect::Send { mut egress, bytes, report }, Some(port)) => {
                        egress.remote.set_port(port);
                        Effect::Send { egress, bytes, report }
                    }
                    (effect, _) => effect,
                });
            })
        },
    },
    Fault {
        name: "the closing of a connection is ignored",
        kinds: &["broken connections"],
        make: || {
            inputs(|_, input, _, out| {
                let closing = matches!(
                    input,
                    Input::ConnectionClosed { .. }
                        | Input::SendFailed { .. }
                        | Input::Mail(Mail::ConnectionClosed(_) | Mail::SendFailed(_))
                );
                out.extend(Some(input).filter(|_| !closing));
            })
        },
    },
    Fault {
        name: "a registration is kept past its end",
        kinds: &["lapsing registrations"],
        // Every contact asks for two hours, whatever the phone wrote and is told.
        make: || {
            planted(
                |_, effect, _, out| {
                    if is_sent(&effect, |r| r.method() == "REGISTER" && r.status() == 200) {
                        return out
                            .push(rewritten(effect, |text| text.replace("expires=7200", "expires=60")));
                    }
                    out.push(effect);
                },
                |_, input, _, out| match input {
                    Input::Message { flow, message } => {
                        let text = String::from_utf8_lossy(message.bytes()).into_owned();
                        let longer = ["61", "60", "90", "3600"]
                            .iter()
                            .fold(text, |t, e| t.replace(&format!(";expires={e}\r\n"), ";expires=7200\r\n"));
                        let limits = siphon::wire::sip::Limits::default();
                        let message =
                            siphon::wire::sip::Message::parse(longer.as_bytes(), &limits).unwrap_or(message);
                        out.push(Input::Message { flow, message });
                    }
                    other => out.push(other),
                },
            )
        },
    },
    Fault {
        name: "what waits behind a parked question is lost",
        kinds: &["parked handlers", "calls"],
        // The answer to some questions gets lost, and with it the call.
        make: || {
            inputs(|f, input, _, out| {
                if matches!(input, Input::Decided { .. }) && f.one_in(60) {
                    return;
                }
                out.push(input);
            })
        },
    },
    Fault {
        name: "Max-Forwards does not fall",
        kinds: &["calls"],
        make: || {
            effects(|_, effect, _, out| {
                out.push(rewritten(effect, |text| text.replacen("Max-Forwards: 69", "Max-Forwards: 70", 1)));
            })
        },
    },
    Fault {
        name: "a stray response is forwarded",
        kinds: &["noise"],
        make: || {
            planted(
                |f, effect, _, out| {
                    out.push(effect);
                    out.extend(f.held.take().map(|(_, e)| e));
                },
                |f, input, now, out| {
                    if let (Some(r), Input::Message { flow, .. }) = (came(&input), &input)
                        && !r.is_request()
                        && r.call_id().starts_with("stray")
                    {
                        let text = String::from_utf8_lossy(r.bytes()).into_owned();
                        let below: String = text
                            .split_inclusive("\r\n")
                            .enumerate()
                            .filter(|(n, _)| *n != 1)
                            .map(|(_, l)| l)
                            .collect();
                        let effect = Effect::Send {
                            egress: flow.back(),
                            bytes: Octets::from(below.into_bytes()),
                            report: None,
                        };
                        f.held = Some((now, effect));
                    }
                    out.push(input);
                },
            )
        },
    },
    Fault {
        name: "a second branch starts after the final response",
        kinds: &["serial forks and re-routing", "refusals"],
        // A forwarded INVITE is sent once more, as a branch of its own, when the client has its answer.
        make: || {
            effects(|f, effect, _, out| {
                let key = sent(&effect).map(|r| r.call_id().to_owned()).unwrap_or_default();
                if is_sent(&effect, |r| r.is_request() && r.method() == "INVITE") {
                    if let Effect::Send { bytes, .. } = &effect {
                        f.memory.insert(key, bytes.to_vec());
                    }
                    return out.push(effect);
                }
                let ended = is_sent(&effect, |r| is_response(r, "INVITE", 300..700));
                let again =
                    f.memory.remove(&key).filter(|_| ended).map(|b| String::from_utf8_lossy(&b).into_owned());
                let egress = match &effect {
                    Effect::Send { egress, .. } => Some(*egress),
                    _ => None,
                };
                out.push(effect);
                if let (Some(text), Some(egress)) = (again, egress) {
                    let text = text.replacen(";branch=z9hG4bK", ";branch=z9hG4bKx", 1);
                    out.push(Effect::Send { egress, bytes: Octets::from(text.into_bytes()), report: None });
                }
            })
        },
    },
    Fault {
        name: "a failure is not acknowledged",
        kinds: &["refusals"],
        make: || {
            effects(|_, effect, _, out| {
                let ack = is_sent(&effect, |r| r.is_request() && r.method() == "ACK" && r.via(1).is_none());
                out.extend(Some(effect).filter(|_| !ack));
            })
        },
    },
    Fault {
        name: "a 200 leaves before the store acknowledged",
        kinds: &["store"],
        // A refusal of the store is taken for an acknowledgement.
        make: || {
            inputs(|_, input, _, out| {
                out.push(match input {
                    Input::CommitFailed { ticket } => Input::Committed { ticket },
                    other => other,
                });
            })
        },
    },
    Fault {
        name: "messages of a call are handled in the wrong order",
        kinds: &["calls", "cancelled calls"],
        // A message waits until the next one has been handled.
        make: || {
            inputs(|f, input, _, out| {
                let invite = came(&input).is_some_and(|r| is_response(&r, "INVITE", 180..181));
                if invite && f.late.is_none() && f.one_in(10) {
                    f.late = Some(input);
                    return;
                }
                let message = came(&input).is_some_and(|r| is_response(&r, "INVITE", 200..300));
                out.push(input);
                if message {
                    out.extend(f.late.take());
                }
            })
        },
    },
    Fault {
        name: "one final response too many",
        kinds: &["refusals", "requests"],
        make: || {
            effects(|f, effect, _, out| {
                let second = is_sent(&effect, |r| r.status() >= 300).then(|| match &effect {
                    Effect::Send { egress, bytes, .. } => {
                        let text = String::from_utf8_lossy(bytes).replacen("SIP/2.0 4", "SIP/2.0 5", 1);
                        Some(Effect::Send {
                            egress: *egress,
                            bytes: Octets::from(text.into_bytes()),
                            report: None,
                        })
                    }
                    _ => None,
                });
                out.push(effect);
                if f.one_in(20) {
                    out.extend(second.flatten());
                }
            })
        },
    },
];
