use super::*;

#[test]
fn a_machine_is_small() {
    // A held call has two of each.
    for (name, size, most) in [
        ("OfferAnswer", size_of::<OfferAnswer>(), 32),
        ("SessionTimer", size_of::<SessionTimer>(), 72),
        ("Retry", size_of::<Retry>(), 24),
        ("reliable::Uas", size_of::<reliable::Uas>(), 128),
        ("reliable::Uac", size_of::<reliable::Uac>(), 12),
        ("Notifier", size_of::<Notifier>(), 40),
        ("Subscriber", size_of::<Subscriber>(), 40),
    ] {
        assert!(size <= most, "{name} takes {size} bytes");
    }
}
