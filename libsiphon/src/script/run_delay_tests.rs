//! The kernel's figure is read again and again from the file that stays open.

use super::*;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn time_that_a_thread_waits_for_its_processor_is_seen_on_the_open_file() {
    let mut delay = RunDelay::default();
    delay.called();
    if !std::path::Path::new("/proc/thread-self/schedstat").exists() {
        assert_eq!(delay.since(), Duration::ZERO);
        return;
    }
    // More threads than processors: sooner or later this one has to wait.
    let done = AtomicBool::new(false);
    let crowd = 4 * std::thread::available_parallelism().map_or(1, usize::from);
    let waited = std::thread::scope(|scope| {
        for _ in 0..crowd {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let waited = (0..1_000_000).map(|_| delay.since()).find(|since| *since > Duration::ZERO);
        done.store(true, Ordering::Relaxed);
        waited
    });
    assert!(waited.is_some(), "a crowd of {crowd} threads never made it wait");
}
