//! DNS lookups for RFC 3263.

use crate::base::time::Instant;
use crate::proto::locate::{Lookup, Records};

/// Answers DNS questions without ever blocking its caller, which is a shard.
pub trait Names: Send + Sync {
    /// Looks something up. `Some` is the answer, known already; otherwise `done` is called with it, once,
    /// from another thread.
    fn look_up(&self, lookup: &Lookup, now: Instant, done: Done) -> Option<Records>;
}

/// What a lookup calls with its answer.
pub type Done = Box<dyn FnOnce(Records) + Send>;
