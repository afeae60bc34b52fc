use super::{Desk, Kept, half_for};
use crate::proto::media::{InstanceName, Profile};

fn at(name: &str) -> Kept {
    Kept { instance: InstanceName::new(name), profile: "auto".into(), caller: "a".into() }
}

#[test]
fn calls_are_remembered_until_they_end_and_the_oldest_makes_room() {
    let mut desk = Desk::new(Default::default(), 2);
    desk.most = 2;
    desk.keep(&"1".into(), at("a:1"));
    desk.keep(&"2".into(), at("b:1"));
    desk.keep(&"1".into(), at("b:1"));
    assert_eq!((desk.active(), desk.kept("1")), (2, Some(at("b:1"))));
    desk.keep(&"3".into(), at("a:1"));
    assert_eq!(desk.kept("2"), None, "it was the one kept longest ago");
    assert_eq!((desk.kept("1"), desk.kept("3")), (Some(at("b:1")), Some(at("a:1"))));
    desk.forget("1");
    desk.forget("1");
    assert_eq!((desk.active(), desk.kept("1")), (1, None));
}

#[test]
fn a_profile_is_the_one_named_else_that_of_the_offer_and_its_halves_follow_the_direction() {
    let desk = Desk::new(Default::default(), 1);
    let kept = Kept { profile: "rtp_to_srtp".into(), ..at("a:1") };
    assert_eq!(&*desk.profile(Some("srtp_to_rtp"), Some(&kept), b"").unwrap().0, "srtp_to_rtp");
    let (name, profile) = desk.profile(None, Some(&kept), b"").unwrap();
    assert_eq!((&*name, &profile), ("rtp_to_srtp", &Profile::built_in("rtp_to_srtp").unwrap()));
    assert_eq!(desk.profile(None, None, b"").unwrap(), ("auto".into(), Profile::passthrough()));
    assert_eq!(desk.profile(Some("nonsense"), None, b""), None);
    assert_eq!((half_for(&profile, "a", "a"), half_for(&profile, "b", "a")), (profile.offer, profile.answer));
}
