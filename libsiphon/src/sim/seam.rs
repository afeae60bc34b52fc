//! The seam between a shard and the network: everything that goes in and comes out passes here. The tests of the
//! simulator plant faults at it; nothing of that is in the engine.

use crate::base::time::Instant;
use crate::engine::{Effect, Input};

/// Sits between the driver and the shards of one node. The auditor sees what truly came in before, and what truly went
/// out after it.
pub trait Seam {
    /// What reaches shard `shard` in place of `input`.
    fn input(&mut self, shard: u8, input: Input, now: Instant, out: &mut Vec<Input>) {
        let _ = (shard, now);
        out.push(input);
    }

    /// What is done in place of `effect`.
    fn effect(&mut self, shard: u8, effect: Effect, now: Instant, out: &mut Vec<Effect>) {
        let _ = (shard, now);
        out.push(effect);
    }
}
