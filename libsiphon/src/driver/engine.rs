//! What the driver needs of a shard's engine.

use crate::base::time::Instant;
use crate::engine::{Effects, Input};
use crate::wire::sip::Message;

/// A sans-IO engine: after every `handle` and `tick` the driver drains the effects, and it calls `tick` once
/// `deadline` has come.
pub trait Engine {
    /// Feeds one input.
    fn handle(&mut self, input: Input, now: Instant, effects: &mut Effects);

    /// Runs the timers that are due.
    fn tick(&mut self, now: Instant, effects: &mut Effects);

    /// When [`tick`](Self::tick) wants to be called, at the latest.
    fn deadline(&self) -> Option<Instant>;

    /// The shard that owns a message. Depends on the message and the node alone, so every shard says the same.
    fn owner(&self, message: &Message) -> u8;

    /// How many server transactions still owe a final response. A node that drains waits for zero.
    fn running(&self) -> usize;
}
