//! A call of two dialogs (RFC 3261 6, "B2BUA"; RFC 7092): one value owns both legs and every exchange between them.
//!
//! The machine speaks in whole requests and responses. Transactions are the engine's: the machine names those it wants
//! with a [`ClientRef`], and gets those of its peers as [`ServerRef`]s. It reads no clock and sends nothing: feed one
//! [`Input`], drain the [`Output`]s, come back at [`Call::deadline`].
//!
//! | File | What |
//! |---|---|
//! | `port` | what goes in and out |
//! | `call` | the call, and where each input goes |
//! | `setup` | targets, forks, provisional and final responses of the B side |
//! | `success` | the 2xx to the caller, its copies, the ACKs |
//! | `early` | reliable provisional responses and their PRACKs |
//! | `exchange` | requests inside the call, from one side to the other |
//! | `refer` | REFER inside the call, carried out here |
//! | `rejoin` | a leg takes another's place: the re-INVITEs |
//! | `replaces` | legs that go from call to call |
//! | `referring` | REFER from here, and from side to side |
//! | `refresh` | session timers and our own refreshes |
//! | `ending` | BYE, CANCEL, and who still owes what |
//! | `staging` | bodies on their way through the media engine, in order |
//! | `description` | session descriptions that pass without a media engine |
//! | `headers` | which header fields pass from side to side |
//! | `writing` | requests and responses of the legs |

mod call;
mod description;
mod early;
mod ending;
mod exchange;
pub mod headers;
mod leg;
pub mod port;
mod refer;
mod referring;
mod rejoin;
mod replaces;
mod refresh;
mod setup;
mod staging;
mod success;
mod writing;

pub use call::Call;
pub use leg::{LegId, LegState};
pub use port::{
    Adopted, Answer, ClientRef, Env, Hop, Input, Outgoing, Output, ReturnTo, Sdp, ServerRef, Settings,
};
pub use replaces::Handed;

#[cfg(test)]
#[path = "model_tests.rs"]
mod model_tests;
