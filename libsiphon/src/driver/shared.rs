//! What the shards of one driver share besides their mailboxes.

use crate::base::time::Duration;
use crate::driver::clock::Clock;
use crate::driver::mailbox::Mailboxes;
use crate::driver::observers::EventSink;
use crate::driver::overload::OverloadSettings;
use crate::driver::refusal::Refusal;
use crate::driver::start::InlineObservers;
use crate::driver::store::Store;
use crate::event::ShedReason;
use crate::net::NetSettings;
use crate::net::dns::Names;
use crate::net::flows::FlowDirectory;
use crate::net::rtpengine::Media;
use crate::net::tcp::Census;
use crate::wire::sip::Limits;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};

/// Read by every shard, written seldom.
pub(super) struct Shared {
    pub(super) clock: Clock,
    pub(super) net: NetSettings,
    pub(super) limits: Limits,
    pub(super) gather: Duration,
    pub(super) overload: OverloadSettings,
    pub(super) refusal: Refusal,
    pub(super) directory: FlowDirectory,
    pub(super) census: Census,
    pub(super) mailboxes: Arc<Mailboxes>,
    pub(super) names: Arc<dyn Names>,
    pub(super) media: Arc<dyn Media>,
    pub(super) store: Arc<dyn Store>,
    pub(super) events: EventSink,
    pub(super) inline: InlineObservers,
    pub(super) draining: AtomicBool,
    pub(super) stopping: AtomicBool,
    pub(super) counters: Counters,
    /// Which shards have nothing left to finish, kept up to date while draining.
    pub(super) quiet: Vec<AtomicBool>,
    pub(super) became_quiet: (Mutex<()>, Condvar),
}

/// Counters for the metrics.
#[derive(Debug, Default)]
pub struct Counters {
    shed: [AtomicU64; 4],
    /// Datagrams that the kernel dropped because a shard did not read in time.
    pub datagrams_dropped: AtomicU64,
    /// CRLF and other datagrams that keep a NAT binding open.
    pub keepalives: AtomicU64,
}

impl Counters {
    pub(super) fn count_shed(&self, reason: ShedReason) {
        if let Some(counter) = self.shed.get(reason as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many messages were turned away for `reason` by the driver.
    pub fn shed(&self, reason: ShedReason) -> u64 {
        self.shed.get(reason as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}
