//! Units, addresses and suggestions; whole files are tested with the role they belong to.

use std::time::Duration;

use super::address::{Endpoint, HostPort, Nameserver};
use super::suggest::nearest;
use super::unit::{parse_duration, parse_size, show_duration, show_size};

#[test]
fn a_bare_number_counts_in_the_unit_of_its_key() {
    assert_eq!(parse_duration("30", 1_000_000), Some(Duration::from_secs(30)));
    assert_eq!(parse_duration("30", 1_000), Some(Duration::from_millis(30)));
    assert_eq!(parse_duration("0.5", 1_000_000), Some(Duration::from_millis(500)));
}

#[test]
fn units_may_be_combined() {
    assert_eq!(parse_duration("1h30m", 1), Some(Duration::from_secs(5400)));
    assert_eq!(parse_duration("1h 5s", 1), Some(Duration::from_secs(3605)));
    assert_eq!(parse_size("1.5KiB"), Some(1536));
    assert_eq!(parse_size("1MB"), Some(1_000_000));
    assert_eq!(parse_size("2 MiB"), Some(2 << 20));
}

#[test]
fn what_is_no_duration_or_size_is_refused() {
    for text in ["", " ", "s", "5x", "-5", "1..5s", "1.", "5 5", "99999999999999999999", "1e3"] {
        assert_eq!(parse_duration(text, 1_000_000), None, "{text:?}");
    }
    for text in ["", "KiB", "-1", "1 potato", "99999999999GiB"] {
        assert_eq!(parse_size(text), None, "{text:?}");
    }
}

#[test]
fn what_is_shown_reads_back_as_the_same() {
    for micros in [0, 1, 999, 1_000, 1_500_000, 30_000_000, 181_000_000, 7_200_000_000, 86_400_000_000] {
        let duration = Duration::from_micros(micros);
        assert_eq!(parse_duration(&show_duration(duration), 1), Some(duration));
    }
    for bytes in [0, 1, 1000, 1024, 65_536, 3 << 20, 1 << 30] {
        assert_eq!(parse_size(&show_size(bytes)), Some(bytes));
    }
}

#[test]
fn addresses_of_both_families_are_read_and_shown_alike() {
    for text in ["127.0.0.1:0", "[::1]:5060"] {
        assert_eq!(text.parse::<Endpoint>().map(|e| e.to_string()), Ok(text.to_owned()));
    }
    assert!("127.0.0.1".parse::<Endpoint>().is_err());
    for text in ["example.com", "example.com:5080", "192.0.2.1", "2001:db8::1", "[2001:db8::1]:5060"] {
        assert_eq!(text.parse::<HostPort>().map(|h| h.to_string()), Ok(text.to_owned()));
    }
    for text in ["", "a b", "sip:x", "x:99999", "a..b", "[::1", "x/y"] {
        assert!(text.parse::<HostPort>().is_err(), "{text:?}");
    }
    assert_eq!("192.0.2.1".parse::<Nameserver>().map(|n| n.to_string()), Ok("192.0.2.1:53".to_owned()));
}

#[test]
fn the_nearest_name_is_suggested_only_when_it_is_near() {
    let names = ["listen", "limits", "registrar"];
    assert_eq!(nearest("lisen", &names), Some("listen"));
    assert_eq!(nearest("registrer", &names), Some("registrar"));
    assert_eq!(nearest("zebra", &names), None);
}
