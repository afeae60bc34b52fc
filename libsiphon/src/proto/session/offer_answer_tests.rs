use std::fmt::Write;

use proptest::prelude::*;

use super::super::pair::{Event, Pair, Want, Ways};
use super::*;
use crate::base::rng::Rng;
use Carrier::*;
use Direction::{Received, Sent};

fn after(messages: &[(Direction, Carrier, bool)]) -> OfferAnswer {
    let mut machine = OfferAnswer::new();
    for &(direction, carrier, sdp) in messages {
        let result = machine.handle(direction, carrier, cseq(carrier), sdp);
        assert!(result.is_ok(), "{direction:?} {carrier:?} {sdp}: {result:?}");
    }
    machine
}

/// INVITE is 1, PRACK 2, UPDATE 3, from either side.
fn cseq(carrier: Carrier) -> u32 {
    match carrier {
        Prack | PrackOk | PrackFailed => 2,
        Update | UpdateOk | UpdateFailed => 3,
        _ => 1,
    }
}

fn situations() -> Vec<(&'static str, OfferAnswer)> {
    vec![
        ("idle", after(&[])),
        ("we sent INVITE with an offer", after(&[(Sent, Invite, true)])),
        ("the same, a 183 with SDP came", after(&[(Sent, Invite, true), (Received, Provisional, true)])),
        (
            "the same, answered in a reliable 183",
            after(&[(Sent, Invite, true), (Received, ReliableProvisional, true)]),
        ),
        (
            "the same, and we sent PRACK",
            after(&[(Sent, Invite, true), (Received, ReliableProvisional, true), (Sent, Prack, false)]),
        ),
        (
            "the same, and PRACK has an offer",
            after(&[(Sent, Invite, true), (Received, ReliableProvisional, true), (Sent, Prack, true)]),
        ),
        ("we sent INVITE without an offer", after(&[(Sent, Invite, false)])),
        (
            "the same, the offer came in a reliable 183",
            after(&[(Sent, Invite, false), (Received, ReliableProvisional, true)]),
        ),
        ("the same, the offer came in the 200", after(&[(Sent, Invite, false), (Received, InviteOk, true)])),
        ("INVITE with an offer came", after(&[(Received, Invite, true)])),
        (
            "the same, answered in a reliable 183",
            after(&[(Received, Invite, true), (Sent, ReliableProvisional, true)]),
        ),
        (
            "the same, and PRACK came",
            after(&[(Received, Invite, true), (Sent, ReliableProvisional, true), (Received, Prack, false)]),
        ),
        (
            "the same, and PRACK has an offer",
            after(&[(Received, Invite, true), (Sent, ReliableProvisional, true), (Received, Prack, true)]),
        ),
        ("the same, answered in the 200", after(&[(Received, Invite, true), (Sent, InviteOk, true)])),
        ("INVITE without an offer came", after(&[(Received, Invite, false)])),
        (
            "the same, we offered in a reliable 183",
            after(&[(Received, Invite, false), (Sent, ReliableProvisional, true)]),
        ),
        ("the same, we offered in the 200", after(&[(Received, Invite, false), (Sent, InviteOk, true)])),
        ("we sent UPDATE", after(&[(Sent, Update, true)])),
        ("UPDATE came", after(&[(Received, Update, true)])),
    ]
}

/// What a message does to a machine; `-` for nothing at all.
fn cell(machine: &OfferAnswer, direction: Direction, carrier: Carrier, sdp: bool) -> String {
    let mut copy = *machine;
    let result = copy.handle(direction, carrier, cseq(carrier), sdp);
    let state = if copy == *machine { String::new() } else { format!(" -> {:?}", copy.state()) };
    let phase = copy.invite.filter(|_| copy.invite != machine.invite).map(|i| format!(" ({:?})", i.phase));
    let gone = (copy.invite.is_none() && machine.invite.is_some()).then(|| " (no INVITE)".to_owned());
    match result {
        Ok(Meaning::Nothing) if copy == *machine => "-".to_owned(),
        Ok(meaning) => format!("{meaning:?}{state}{}", phase.or(gone).unwrap_or_default()),
        Err(fault) => format!("!{fault:?}{state}{}", phase.or(gone).unwrap_or_default()),
    }
}

#[test]
fn the_whole_table() {
    let mut text = String::new();
    for (name, machine) in situations() {
        writeln!(text, "{name} [{:?}]", machine.state()).unwrap();
        for direction in [Sent, Received] {
            for carrier in Carrier::ALL {
                let with = cell(&machine, direction, carrier, true);
                let without = cell(&machine, direction, carrier, false);
                if (with.as_str(), without.as_str()) == ("-", "-") {
                    continue;
                }
                let message = format!("{direction:?} {carrier:?}");
                writeln!(text, "    {message:<29} SDP: {with:<36} none: {without}").unwrap();
            }
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn each_situation_survives_encoding_and_no_damage_panics() {
    for (name, machine) in situations() {
        let bytes = machine.to_bytes();
        assert_eq!(OfferAnswer::from_bytes(&bytes), Ok(machine), "{name}");
        for len in 0..bytes.len() {
            assert!(OfferAnswer::from_bytes(&bytes[..len]).is_err(), "{name} cut to {len}");
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let Ok(mut machine) = OfferAnswer::from_bytes(&damaged) else { continue };
                for carrier in Carrier::ALL {
                    let _ = machine.handle(Received, carrier, cseq(carrier), true);
                }
            }
        }
    }
}

#[test]
fn what_we_are_about_to_send_says_whether_it_needs_a_session_description() {
    let idle = after(&[]);
    assert_eq!(idle.need(Invite, cseq(Invite)), Ok(Need::May(Meaning::Offer)));
    assert!(idle.may_offer(Update) && !idle.may_offer(Prack));
    let offered = after(&[(Received, Invite, true)]);
    assert_eq!(offered.need(Provisional, cseq(Provisional)), Ok(Need::May(Meaning::Preview)));
    assert_eq!(offered.need(InviteOk, cseq(InviteOk)), Ok(Need::Must(Meaning::Answer)));
    assert_eq!(offered.need(Invite, cseq(Invite)), Err(Fault::NotNow));
    assert!(!offered.may_offer(Update));
    let late = after(&[(Received, Invite, false)]);
    assert_eq!(late.need(InviteOk, cseq(InviteOk)), Ok(Need::Must(Meaning::Offer)));
    assert_eq!(late.need(Provisional, cseq(Provisional)), Ok(Need::No));
    assert_eq!(late.need(ReliableProvisional, cseq(ReliableProvisional)), Ok(Need::Must(Meaning::Offer)));
    let pracking = after(&[(Received, Invite, true), (Sent, ReliableProvisional, true)]);
    assert_eq!(
        pracking.need(InviteOk, cseq(InviteOk)),
        Err(Fault::NotNow),
        "the PRACK comes first (RFC 3262 3)"
    );
    assert_eq!(pracking.need(Update, cseq(Update)), Ok(Need::No), "RFC 3311 5.1");
    let delayed = after(&[(Sent, Invite, false), (Received, InviteOk, true)]);
    assert_eq!(delayed.need(Ack, cseq(Ack)), Ok(Need::Must(Meaning::Answer)));
    let refused = after(&[(Received, Update, true)]);
    assert_eq!(refused.need(UpdateFailed, cseq(UpdateFailed)), Ok(Need::No));
}

#[test]
fn faults_have_the_status_codes_of_the_rfcs() {
    let all = [Fault::Glare, Fault::Pending, Fault::Refused, Fault::Broken, Fault::NotNow];
    assert_eq!(all.map(Fault::status), [Some(491), Some(500), Some(488), None, None]);
}

#[test]
fn a_preview_stands_for_the_answer_that_the_200_lacks() {
    let mut machine = after(&[(Sent, Invite, true), (Received, Provisional, true)]);
    assert_eq!(machine.handle(Received, InviteOk, 1, false), Ok(Meaning::PreviewHolds));
    assert_eq!(machine.state(), State::Idle);
    let mut machine = after(&[(Sent, Invite, true), (Received, Provisional, false)]);
    assert_eq!(machine.handle(Received, InviteOk, 1, false), Err(Fault::Broken));
    assert_eq!(
        machine.handle(Sent, Ack, 1, false),
        Ok(Meaning::Nothing),
        "it is acknowledged before the BYE"
    );
    assert!(!machine.has_open_invite());
}

#[test]
fn what_belongs_to_another_transaction_means_nothing() {
    let mut machine = after(&[(Sent, Update, true)]);
    for carrier in [UpdateOk, UpdateFailed, PrackOk, InviteOk, InviteFailed, ReliableProvisional] {
        let cseq = cseq(carrier) + 1;
        assert_eq!(machine.handle(Received, carrier, cseq, false), Ok(Meaning::Nothing), "{carrier:?}");
    }
    assert_eq!(machine.handle(Received, Invite, 9, true), Err(Fault::Glare));
    assert_eq!(machine.handle(Sent, InviteFailed, 9, false), Ok(Meaning::Nothing), "the 491");
    assert_eq!(machine.state(), State::WeOffered);
    let mut machine = after(&[(Received, Invite, false), (Sent, InviteOk, true)]);
    assert_eq!(machine.handle(Received, Ack, 9, true), Ok(Meaning::Nothing));
    assert_eq!(machine.handle(Received, Ack, 1, true), Ok(Meaning::Answer));
}

const WANTS: [Want; 3] = [Want::Invite, Want::LateInvite, Want::Update];

/// Lets two UAs talk by the dice. At the end the wire loses nothing more and both must have settled.
fn talk(seed: u64, ordered: bool, faults: u8, ways: Ways) -> Result<u32, String> {
    let mut rng = Rng::seeded(seed);
    let mut wants = || (0..rng.below(4)).map(|_| WANTS[rng.below(3) as usize]).collect::<Vec<_>>();
    let (a, b) = (wants(), wants());
    let mut pair = Pair::new([&a, &b], 3, None).with_faults(faults, faults);
    for step in 0..2000 {
        let mut events = pair.events(ways, ordered);
        if events.is_empty() {
            return pair.settled().map(|()| step);
        }
        // Faults are rare, or they would all happen in the first steps.
        if !rng.chance(100) {
            events.retain(|event| !matches!(event, Event::Lose(_) | Event::Copy(_)));
        }
        if events.is_empty() {
            continue;
        }
        pair.apply(events[rng.below(events.len() as u64) as usize], ways)?;
        for ua in [0, 1] {
            let machine = pair.machine(ua);
            if OfferAnswer::from_bytes(&machine.to_bytes()) != Ok(machine) {
                return Err(format!("{machine:?} does not survive encoding"));
            }
        }
    }
    Err("they never settle".to_owned())
}

fn ways() -> impl Strategy<Value = Ways> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(reliable, prack_offers, refusals)| Ways {
        reliable,
        prack_offers,
        refusals,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn two_sides_agree_on_a_wire_that_loses_nothing(seed: u64, ways in ways()) {
        let result = talk(seed, true, 0, ways);
        prop_assert!(result.is_ok(), "{result:?}");
    }

    #[test]
    fn two_sides_agree_on_a_wire_that_loses_copies_and_reorders(seed: u64, ways in ways()) {
        let result = talk(seed, false, 12, ways);
        prop_assert!(result.is_ok(), "{result:?}");
    }
}
