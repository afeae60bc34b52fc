//! `siphon-bench`: siphon-proxy beside Kamailio, interleaved in one session; only the servers' CPU is counted.

#![allow(
    clippy::disallowed_methods,
    reason = "load is paced by the clock, and tasks are the generator's own"
)]

mod beside;
mod count;
mod cpu;
mod fill;
mod line;
mod load;
mod operation;
mod report;
mod server;
mod session;
mod soak;
mod text;
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::operation::Operation;
use crate::server::Kind;

/// Loads each server in turn with the same operations, and prints CPU seconds, counts and ratios.
#[derive(Debug, Parser)]
struct Arguments {
    /// Operations to run; all when none is named.
    #[arg(value_enum)]
    operations: Vec<Operation>,
    /// Servers to compare.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kind::Kamailio, Kind::KamailioFast, Kind::Siphon1, Kind::Siphon2, Kind::Sbc1, Kind::Sbc2])]
    servers: Vec<Kind>,
    /// Operations per second.
    #[arg(long, value_delimiter = ',', default_values_t = [300.0, 1500.0])]
    rates: Vec<f64>,
    /// Source ports of the callers.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64])]
    ports: Vec<usize>,
    /// Seconds of load per measurement.
    #[arg(long, default_value_t = 8.0)]
    seconds: f64,
    /// How often the whole is repeated; the report has the sums and the spread.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// The daemon to measure.
    #[arg(long, default_value = "target/release/siphon-proxy")]
    siphon: PathBuf,
    /// Also measure memory: contacts, calls in set-up, lingering transactions.
    #[arg(long)]
    memory: bool,
    /// Also measure goodput at three times the sustainable rate.
    #[arg(long)]
    overload: bool,
    /// Also count instructions and allocations of the engine (needs valgrind).
    #[arg(long)]
    count: bool,
    /// What `--count` runs under valgrind.
    #[arg(long, hide = true)]
    count_one: Option<count::What>,
    /// How often.
    #[arg(long, hide = true, default_value_t = 1000)]
    times: u32,
    /// Instead: mixed load on siphon-proxy for that many seconds, all graded, with memory that must stay flat.
    #[arg(long, value_name = "SECONDS")]
    soak: Option<u64>,
    /// Instead: calls that need no script, and requests that need one, beside handlers that hold the interpreter.
    #[arg(long)]
    beside: bool,
    /// Folder for the report.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(what) = arguments.count_one {
        count::inner(what, arguments.times);
        return ExitCode::SUCCESS;
    }
    let done = match arguments.soak {
        Some(seconds) => soak::run(&arguments.siphon, std::time::Duration::from_secs(seconds)),
        None if arguments.beside => beside::run(&arguments.siphon, arguments.seconds),
        None => session::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
