//! The log of a kit ends with a line that says so.

use super::*;

#[test]
fn a_full_log_says_that_it_is_and_keeps_nothing_more() {
    let lines = Lines::default();
    for n in 0..MOST_LINES + 5 {
        lines.write(format!("line {n}\n").as_bytes());
    }
    let kept = lines.from(MOST_LINES - 2);
    assert_eq!(lines.count(), MOST_LINES);
    assert_eq!(kept[0], format!("line {}", MOST_LINES - 2));
    assert!(
        kept[1].contains(r#""level":"ERROR""#) && kept[1].contains("the log of the kit is full"),
        "{kept:?}"
    );
    // A replay takes the lines as they come, and goes on.
    assert_eq!(lines.take().len(), MOST_LINES);
    lines.write(b"after\n");
    assert_eq!(lines.from(0), ["after"]);
}
