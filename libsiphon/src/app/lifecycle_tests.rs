//! Signals become commands, in order.

use std::process::Command as Shell;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Command, Lifecycle};
use crate::app::role::Reload;

static SIGNALS: Mutex<()> = Mutex::new(());

/// Held by every test that sends or awaits signals.
pub(in crate::app) fn alone() -> MutexGuard<'static, ()> {
    SIGNALS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn tell_ourselves(signal: &str) {
    let pid = std::process::id().to_string();
    assert!(Shell::new("kill").args([signal, &pid]).status().expect("kill(1) is there").success());
}

#[test]
fn hangup_reloads_and_the_second_termination_stops() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut lifecycle = Lifecycle::new(None).expect("signals can be taken over");
        tell_ourselves("-HUP");
        let everything = Reload { config: true, script: true };
        assert_eq!(lifecycle.next().await, Command::Reload { what: everything, by_signal: true });
        tell_ourselves("-TERM");
        assert_eq!(lifecycle.next().await, Command::Drain);
        tell_ourselves("-INT");
        assert_eq!(lifecycle.next().await, Command::Stop);
    });
}
