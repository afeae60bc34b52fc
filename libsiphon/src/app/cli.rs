//! The command line that every role binary has.
//!
//! Exit codes: 0 all well, or a run that was told to end; 1 the role could not start or broke; 2 the command
//! line or the configuration is wrong.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser};

use super::config::{self, Loaded, Process, Text, effective};
use super::role::Role;
use super::run;

/// Exit code of a command line or configuration that is wrong.
pub const WRONG: u8 = 2;
/// Exit code of a role that could not start or broke.
pub const FAILED: u8 = 1;

/// Options of a role binary.
#[derive(Parser, Debug)]
struct Options {
    /// Configuration file [default: /etc/siphon/<BINARY>.yaml, else the one inside the binary]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Say everything that is wrong with configuration and script, and end
    #[arg(long, conflicts_with_all = ["print_config", "print_schema"])]
    check: bool,
    /// Print the configuration in effect with the origin of each value, secrets masked, and end
    #[arg(long, conflicts_with = "print_schema")]
    print_config: bool,
    /// Print the JSON Schema of the configuration, and end
    #[arg(long)]
    print_schema: bool,
}

/// The whole life of a role binary.
pub fn main<R: Role>() -> ExitCode {
    ExitCode::from(main_with::<R>(std::env::args_os()))
}

/// The same with the command line given, its program name first. What comes back is the exit code.
pub fn main_with<R: Role>(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let about = "Exit codes: 0 all well; 1 could not start or broke; 2 command line or configuration wrong.\n\
                 Signals: SIGTERM and SIGINT drain and end, a second one ends at once; SIGHUP reloads.";
    let command = Options::command().name(R::NAME).about(R::ABOUT).after_help(about).version(version());
    let options = match command.try_get_matches_from(arguments).and_then(|m| Options::from_arg_matches(&m)) {
        Ok(options) => options,
        Err(error) => {
            let code = if error.use_stderr() { WRONG } else { 0 };
            // Nothing is left to do when even this cannot be printed.
            let _ = error.print();
            return code;
        }
    };
    if options.print_schema {
        return print(&format!("{:#}\n", config::schema::<R::Config>()));
    }
    let loaded = match load::<R>(options.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(problems) => {
            eprint!("{problems}");
            return WRONG;
        }
    };
    if options.print_config {
        return print(&effective::print(&loaded));
    }
    if options.check {
        return check::<R>(&loaded);
    }
    run::run::<R>(loaded)
}

/// Version as `--version` and `siphon_build_info` say it.
pub const fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

fn load<R: Role>(given: Option<&Path>) -> Result<Loaded<R::Config>, config::Problems> {
    let usual = PathBuf::from(format!("/etc/siphon/{}.yaml", R::NAME));
    let text = match given {
        Some(path) => Text::read(path)?,
        None if usual.exists() => Text::read(&usual)?,
        None => Text::embedded(R::NAME, R::CONFIG),
    };
    config::load(&text, R::NAME, &Process)
}

/// Reads the same file again; for a reload.
pub(super) fn load_again<R: Role>(loaded: &Loaded<R::Config>) -> Result<Loaded<R::Config>, config::Problems> {
    load::<R>(loaded.file.as_deref())
}

fn check<R: Role>(loaded: &Loaded<R::Config>) -> u8 {
    let faults = R::check(loaded);
    for fault in &faults {
        eprintln!("{}", fault.text);
    }
    let counted = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    };
    let warnings = faults.iter().filter(|fault| fault.is_warning).count();
    match (faults.len().saturating_sub(warnings), warnings) {
        (0, 0) => print(&format!("{}: nothing wrong\n", loaded.name)),
        (0, w) => print(&format!("{}: {} and nothing wrong\n", loaded.name, counted(w, "warning"))),
        (p, 0) => {
            eprintln!("{} with {}", counted(p, "problem"), loaded.name);
            WRONG
        }
        (p, w) => {
            eprintln!("{} and {} with {}", counted(p, "problem"), counted(w, "warning"), loaded.name);
            WRONG
        }
    }
}

/// Prints to standard output; a reader that went away is no fault of ours.
fn print(text: &str) -> u8 {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => FAILED,
        _ => 0,
    }
}
