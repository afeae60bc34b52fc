//! The NG control protocol of rtpengine, as version mr10.5 speaks it: commands and replies as values.
//!
//! A datagram is a cookie, a space and a bencoded dictionary; a reply bears the cookie of its command, and a command
//! with the cookie of an earlier one gets the earlier one's reply again, so that retransmission is safe.

pub mod command;
pub mod fuzz_target;
pub mod half;
pub mod reply;

pub use command::{Action, Command, Dtmf, MediaRequest, Negotiation, Party, Playback, Recording};
pub use half::{Codecs, Half};
pub use reply::{Answer, MediaFault, MediaReply, MediaResult, Totals};

use crate::base::codec::{Codec, DecodeError, Reader, Writer};
use crate::base::text::Text;
use std::fmt;

/// Names an instance of rtpengine by its address as configured, `127.0.0.1:22222`. It means the same after a restart
/// and in another process: what is kept of a call so that later commands find its sessions.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct InstanceName(pub Text);

impl InstanceName {
    /// From its address.
    pub fn new(address: &str) -> Self {
        InstanceName(address.into())
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const VERSION: u8 = 1;

impl Codec for InstanceName {
    fn encode(&self, w: &mut Writer) {
        w.u8(VERSION);
        w.bytes(self.0.as_bytes());
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.version("instance", VERSION)?;
        Ok(InstanceName(String::from_utf8_lossy(r.bytes()?).as_ref().into()))
    }
}

#[cfg(test)]
#[path = "ng_tests.rs"]
mod tests;
