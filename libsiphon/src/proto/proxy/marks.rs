//! What is noted in the topmost Via of a request: where it really came from (RFC 3261 18.2.1, RFC 3581 4).

use crate::base::flow::Flow;
use crate::wire::sip::{Limits, Malformed, Message, Rport, Splice, TopVia};
use std::net::IpAddr;

/// What the server notes in the topmost Via of a request: where it really came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Marks {
    /// RFC 3261 18.2.1: the source address where sent-by says another; RFC 3581 4: always when `rport` was asked for.
    pub received: Option<IpAddr>,
    /// RFC 3581 4: the source port when it was asked for.
    pub rport: Option<u16>,
}

impl Marks {
    /// What has to be noted for a request that came on `flow`; nothing when it stands there already.
    pub fn of(via: &TopVia<'_>, flow: &Flow) -> Marks {
        let (ip, port) = (flow.remote.ip(), flow.remote.port());
        let asked = via.rport != Rport::Absent;
        let rport = (asked && via.rport != Rport::Port(port)).then_some(port);
        let differs = via.host_bare().parse() != Ok(ip);
        let received = ((asked || differs) && via.received != Some(ip)).then_some(ip);
        Marks { received, rport }
    }

    /// Whether there is nothing to note.
    pub fn is_empty(&self) -> bool {
        self.received.is_none() && self.rport.is_none()
    }

    /// Appends the value of `via` with these marks. False, and nothing is appended, when the sender filled in what
    /// is ours to fill in, or wrote it in an unusual way: [`mark_received`] copes with that.
    pub fn write(&self, via: &TopVia<'_>, out: &mut Vec<u8>) -> bool {
        let value = via.value.as_bytes();
        let asked = match self.rport {
            None => None,
            Some(port) => {
                const ASKED: &[u8] = b";rport";
                let Some(at) = position(value, ASKED) else { return false };
                let (head, tail) = value.split_at(at.saturating_add(ASKED.len()).min(value.len()));
                if via.rport != Rport::Asked || !matches!(tail.first(), None | Some(b';')) {
                    return false;
                }
                Some((head, port, tail))
            }
        };
        if self.received.is_some() && via.received.is_some() {
            return false;
        }
        match asked {
            None => out.extend_from_slice(value),
            Some((head, port, tail)) => {
                out.extend_from_slice(head);
                out.push(b'=');
                push_number(out, port);
                out.extend_from_slice(tail);
            }
        }
        if let Some(ip) = self.received {
            out.extend_from_slice(b";received=");
            push_ip(out, ip);
        }
        true
    }
}

/// Where `text` starts in a short value; a searcher made for one search would cost more than this.
fn position(value: &[u8], text: &[u8]) -> Option<usize> {
    let first = *text.first()?;
    memchr::memchr_iter(first, value).find(|at| value.get(*at..).is_some_and(|rest| rest.starts_with(text)))
}

/// Appends decimal digits.
pub(super) fn push_number(out: &mut Vec<u8>, n: u16) {
    let mut power = 10_000;
    while power > 1 && n < power {
        power /= 10;
    }
    while power > 0 {
        // A digit, so below ten.
        out.push(b'0' | (n / power % 10) as u8);
        power /= 10;
    }
}

fn push_ip(out: &mut Vec<u8>, ip: IpAddr) {
    match ip {
        IpAddr::V4(ip) => {
            for (n, octet) in ip.octets().into_iter().enumerate() {
                if n > 0 {
                    out.push(b'.');
                }
                push_number(out, octet.into());
            }
        }
        IpAddr::V6(ip) => out.extend_from_slice(ip.to_string().as_bytes()),
    }
}

/// The request with its source noted in the topmost Via; `None` when there is nothing to note.
///
/// [`Forward`](super::forward::Forward) does the same on the way, so only what is answered here needs it.
pub fn mark_received(request: &Message, flow: &Flow, limits: &Limits) -> Result<Option<Message>, Malformed> {
    let marks = Marks::of(&request.via(), flow);
    if marks.is_empty() {
        return Ok(None);
    }
    let mut splice = Splice::of(request);
    splice.mark_via(marks.received, marks.rport);
    splice.into_message(limits).map(Some)
}

#[cfg(test)]
#[path = "marks_tests.rs"]
mod tests;
