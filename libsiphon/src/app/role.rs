//! What a role binary is made of. A role assumes neither SIP nor Python: it names its schema and how to start.

use std::path::PathBuf;
use std::sync::Arc;

use crate::observe::health::Health;
use crate::observe::log::Logger;
use crate::observe::metrics::Metrics as Series;

use super::config::listen::Listen;
use super::config::observe::{Admin, Log, Metrics};
use super::config::script::Script;
use super::config::{Config, Loaded};

/// A network function: its schema, its embedded files, and how it is started.
pub trait Role: 'static {
    /// Name of the binary.
    const NAME: &'static str;
    /// One line for `--help`.
    const ABOUT: &'static str;
    /// YAML used when there is no file.
    const CONFIG: &'static str;
    /// Its configuration.
    type Config: Config + Send + 'static;

    /// The blocks that `app` itself acts on.
    fn shared(config: &Self::Config) -> Shared<'_>;

    /// Whether a reload takes this key over while running, given the new configuration; a change of any other key is
    /// told as one for the next start.
    fn is_taken_over(key: &str, config: &Self::Config) -> bool;

    /// What `--check` looks at beyond the YAML: the script above all. Says what is wrong, all of it.
    fn check(loaded: &Loaded<Self::Config>) -> Vec<Fault>;

    /// Starts the engines. Returns when every socket is bound, or with what stood in the way.
    fn start(start: Start<'_, Self::Config>) -> Result<Box<dyn Running<Self::Config>>, StartFault>;
}

/// Something that `--check` says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// Where and what.
    pub text: String,
    /// Whether it is said and nothing more: the check does not fail for it.
    pub is_warning: bool,
}

/// The blocks that `app` itself acts on.
#[derive(Clone, Copy, Debug)]
pub struct Shared<'a> {
    /// The log.
    pub log: &'a Log,
    /// Where metrics are offered.
    pub metrics: &'a Metrics,
    /// Health pages.
    pub admin: Option<&'a Admin>,
    /// How long a drain may take.
    pub drain: std::time::Duration,
    /// The script, for the watch; `None` for a role without one.
    pub script: Option<&'a Script>,
    /// Listeners, for the message about a busy port; `None` for a role without SIP.
    pub listen: Option<&'a Listen>,
}

/// What a role is started with.
pub struct Start<'a, C> {
    /// The configuration, and where relative paths count from.
    pub loaded: &'a Loaded<C>,
    /// The series to count into.
    pub series: Arc<Series>,
    /// Readiness and drain state that the health pages show.
    pub health: Arc<Health>,
    /// Where lines of scripts and of the event stream go.
    pub logger: Arc<Logger>,
}

/// Why a role did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    /// A socket could not be bound.
    #[error("cannot listen on {transport} {address}: {error}")]
    Bind {
        /// `udp`, `tcp`.
        transport: &'static str,
        /// The address of the configuration.
        address: std::net::SocketAddr,
        /// What the kernel said.
        error: std::io::Error,
    },
    /// The script does not load.
    #[error("{0}")]
    Script(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// What a reload is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Reload {
    /// The YAML may have changed.
    pub config: bool,
    /// The script, or a module beside it, may have changed.
    pub script: bool,
}

/// A role that runs. Called from the main thread only.
pub trait Running<C> {
    /// What it listens on, with the ports the kernel gave: `udp 127.0.0.1:5060`.
    fn listening(&self) -> Vec<String>;

    /// Takes over what changed. The configuration was read and found right before this is called. Returns a
    /// line for the log; an error leaves everything as it was.
    fn reload(&mut self, loaded: &Loaded<C>, what: Reload) -> Result<String, String>;

    /// Takes no new work from now on; what runs goes on.
    fn drain(&mut self);

    /// Whether nothing runs any more.
    fn is_idle(&self) -> bool;

    /// What else to watch for changes of the script, beside its own directory and `include_paths`.
    fn watched(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Ends at once.
    fn stop(&mut self);
}
