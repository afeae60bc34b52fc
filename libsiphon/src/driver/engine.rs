//! What the driver needs of a shard's engine.

use crate::base::time::Instant;
use crate::engine::{Effects, Input, Shard, ownership};
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

    /// Whether nothing waits for a final response or an answer. A node that drains waits for it; it is asked a
    /// few times a second then.
    fn is_quiet(&self) -> bool;
}

impl Engine for Shard {
    fn handle(&mut self, input: Input, now: Instant, effects: &mut Effects) {
        Shard::handle(self, input, now, effects);
    }

    fn tick(&mut self, now: Instant, effects: &mut Effects) {
        Shard::tick(self, now, effects);
    }

    fn deadline(&self) -> Option<Instant> {
        Shard::deadline(self)
    }

    fn owner(&self, message: &Message) -> u8 {
        ownership::owner(message, self.node())
    }

    fn is_quiet(&self) -> bool {
        Shard::is_quiet(self)
    }
}
