//! Those who watch: subscribers of the event stream. They see everything and decide nothing.
//!
//! Nothing here reads a clock, opens a socket or starts a thread: events carry their time, and `app` brings
//! the rest.

pub mod health;
pub mod http;
pub mod log;
pub mod metrics;

use crate::event::{Classes, Event};

pub use crate::event::Observer;

/// Several subscribers as one.
#[derive(Default)]
pub struct Observers {
    list: Vec<Box<dyn Observer>>,
}

impl Observers {
    /// Adds one.
    pub fn add(&mut self, observer: impl Observer + 'static) {
        self.list.push(Box::new(observer));
    }
}

impl Observer for Observers {
    fn classes(&self) -> Classes {
        self.list.iter().fold(Classes::default(), |all, o| all.with(o.classes()))
    }

    fn see(&mut self, event: &Event) {
        let class = event.kind.class();
        for observer in self.list.iter_mut().filter(|o| o.classes().contains(class)) {
            observer.see(event);
        }
    }
}
