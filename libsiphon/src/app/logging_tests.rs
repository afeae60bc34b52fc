//! The writer: order, files that logrotate moves, and a queue that is full.

use std::path::PathBuf;

use super::{Writer, open, yaml};
use crate::observe::log::{Level, Record, Sink};

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("siphon-log-{name}-{}", std::process::id()))
}

#[test]
fn lines_are_in_order_and_a_moved_file_is_opened_anew() {
    let (path, moved) = (file("order"), file("order.1"));
    let (logger, writer) = open(&yaml::Log::default(), Some(path.clone())).expect("a temporary file");
    let record = |n: u32| Record {
        at: None,
        level: Level::Info,
        target: "siphon",
        text: format!("line {n}.").into(),
        call_id: None,
        fields: Vec::new(),
    };
    for n in 0..100 {
        logger.write(&record(n));
    }
    writer.flush();
    std::fs::rename(&path, &moved).expect("our file");
    writer.reopen();
    logger.write(&record(100));
    writer.flush();
    let read = |path: &PathBuf| std::fs::read_to_string(path).expect("our file");
    let old = read(&moved);
    assert!(
        (0..100).all(|n| old.lines().nth(n).is_some_and(|l| l.ends_with(&format!("line {n}.")))),
        "{old}"
    );
    assert!(read(&path).ends_with("line 100.\n"));
    assert_eq!(writer.dropped(), 0);
    for path in [path, moved] {
        std::fs::remove_file(path).expect("our file");
    }
}

#[test]
fn a_file_that_cannot_be_opened_is_named_with_its_key() {
    let told = open(&yaml::Log::default(), Some("/nonexistent/siphon.log".into()))
        .map(|_| ())
        .expect_err("no folder");
    assert!(told.starts_with("log.file: cannot open /nonexistent/siphon.log: "), "{told}");
}

#[test]
fn a_full_queue_drops_and_counts_instead_of_waiting() {
    let (work, _nobody_reads) = std::sync::mpsc::sync_channel(2);
    let writer = Writer { work, dropped: 0.into() };
    for _ in 0..5 {
        writer.write(b"line\n");
    }
    assert_eq!(writer.dropped(), 3);
}
