use proptest::prelude::*;

use super::*;
use crate::base::rng::Rng;

const T0: Instant = Instant::from_unix_secs(1_800_000_000);
const T1: Duration = Duration::from_millis(500);

fn after(ms: u64) -> Instant {
    T0 + Duration::from_millis(ms)
}

/// The first RSeq is 1000.
fn uas() -> Uas {
    Uas::new(7, 999, T1)
}

fn rack(rseq: u32) -> RAck {
    RAck { rseq, cseq: 7, method: Method::Invite }
}

fn sent(uas: &mut Uas, sdp: bool, ms: u64) -> (Result<u32, NotSent>, Vec<Output>) {
    let mut out = Outputs::new();
    (uas.send(sdp, after(ms), &mut out), out.to_vec())
}

fn pracked(uas: &mut Uas, rack: RAck, ms: u64) -> Result<Vec<Output>, NoMatch> {
    let mut out = Outputs::new();
    uas.prack(rack, after(ms), &mut out).map(|()| out.to_vec())
}

/// Ticks at every deadline; what was asked for, with milliseconds after the start.
fn run(uas: &mut Uas) -> Vec<(u64, Output)> {
    let mut log = Vec::new();
    while let Some(now) = uas.deadline() {
        let mut out = Outputs::new();
        uas.tick(now, &mut out);
        assert!(!out.is_empty(), "a deadline for nothing");
        log.extend(out.into_iter().map(|o| ((now.0 - T0.0) / 1000, o)));
    }
    log
}

#[test]
fn the_first_rseq_lies_between_1_and_2_to_the_31_less_1() {
    for (random, first) in [(0, 1), (999, 1000), (u64::from(u32::MAX) / 2 - 1, 0x7fff_ffff), (0x7fff_ffff, 1)]
    {
        assert_eq!(sent(&mut Uas::new(1, random, T1), false, 0).0, Ok(first), "{random}");
    }
}

#[test]
fn a_response_is_sent_again_at_doubling_intervals_and_given_up_after_64_t1() {
    let mut uas = uas();
    assert_eq!(sent(&mut uas, false, 0), (Ok(1000), vec![Output::Send(1000)]));
    let again = Output::Resend(1000);
    let expected = [500, 1500, 3500, 7500, 15_500, 31_500].map(|ms| (ms, again));
    let log = run(&mut uas);
    assert_eq!(log[..6], expected);
    assert_eq!(log[6..], [(32_000, Output::GiveUp(1000))]);
    assert_eq!(sent(&mut uas, false, 33_000).0, Err(NotSent::Answered));
    assert_eq!(pracked(&mut uas, rack(1000), 33_000), Err(NoMatch));
}

#[test]
fn a_stall_is_not_followed_by_a_burst() {
    let mut uas = uas();
    sent(&mut uas, false, 0).0.unwrap();
    let mut out = Outputs::new();
    uas.tick(after(10_000), &mut out);
    assert_eq!(out[..], [Output::Resend(1000)]);
    assert_eq!(uas.deadline(), Some(after(11_000)));
}

#[test]
fn one_response_is_on_its_way_and_the_rest_wait_in_order() {
    let mut uas = uas();
    sent(&mut uas, false, 0).0.unwrap();
    assert_eq!(sent(&mut uas, true, 10), (Ok(1001), vec![]));
    assert_eq!(sent(&mut uas, false, 20), (Ok(1002), vec![]));
    assert!(!uas.may_succeed(), "1001 has a session description");
    for wrong in
        [rack(1001), rack(999), RAck { cseq: 8, ..rack(1000) }, RAck { method: Method::Update, ..rack(1000) }]
    {
        assert_eq!(pracked(&mut uas, wrong, 30), Err(NoMatch), "{wrong}");
    }
    let next = vec![Output::Acknowledged(1000), Output::Send(1001)];
    assert_eq!(pracked(&mut uas, rack(1000), 30), Ok(next));
    assert_eq!(uas.deadline(), Some(after(530)), "its own retransmission starts at T1");
    assert_eq!(pracked(&mut uas, rack(1000), 40), Err(NoMatch), "once is enough");
    assert_eq!(pracked(&mut uas, rack(1001), 40), Ok(vec![Output::Acknowledged(1001), Output::Send(1002)]));
    assert!(uas.may_succeed() && uas.is_waiting());
    assert_eq!(pracked(&mut uas, rack(1002), 50), Ok(vec![Output::Acknowledged(1002)]));
    assert_eq!((uas.deadline(), uas.is_waiting()), (None, false));
}

#[test]
fn the_queue_is_bounded() {
    let mut uas = uas();
    for n in 0..=MOST_WAITING as u32 {
        assert_eq!(sent(&mut uas, false, 0).0, Ok(1000 + n));
    }
    assert_eq!(sent(&mut uas, false, 0).0, Err(NotSent::Full));
    pracked(&mut uas, rack(1000), 0).unwrap();
    assert_eq!(sent(&mut uas, false, 0).0, Ok(1001 + MOST_WAITING as u32));
}

#[test]
fn after_the_final_response_no_copy_leaves_but_the_prack_is_known() {
    let mut uas = uas();
    sent(&mut uas, false, 0).0.unwrap();
    sent(&mut uas, false, 0).0.unwrap();
    uas.answered();
    assert_eq!((uas.deadline(), run(&mut uas)), (None, vec![]));
    assert_eq!(sent(&mut uas, false, 10).0, Err(NotSent::Answered));
    assert_eq!(pracked(&mut uas, rack(1000), 20), Ok(vec![Output::Acknowledged(1000)]), "1001 is never sent");
    assert_eq!(pracked(&mut uas, rack(1001), 20), Err(NoMatch));
}

#[test]
fn what_is_heard_is_acknowledged_in_order_and_once() {
    let mut uac = Uac::new(7);
    assert_eq!(uac.hear(5), Heard::New(rack(5)));
    assert_eq!(uac.hear(5), Heard::Copy);
    assert_eq!(uac.hear(7), Heard::OutOfOrder);
    assert_eq!(uac.hear(4), Heard::Copy);
    assert_eq!(uac.hear(6), Heard::New(rack(6)));
    assert_eq!(Uac::from_bytes(&uac.to_bytes()), Ok(uac));
    assert_eq!(uac.hear(7), Heard::New(rack(7)), "what came too early comes again");
    let mut last = Uac::new(1);
    assert!(matches!(last.hear(u32::MAX), Heard::New(_)));
    assert_eq!(last.hear(0), Heard::Copy, "RSeq does not wrap (RFC 3262 7.1)");
}

#[test]
fn damage_to_the_encoding_is_refused_or_does_not_spin() {
    let mut uas = uas();
    sent(&mut uas, true, 0).0.unwrap();
    sent(&mut uas, false, 0).0.unwrap();
    let bytes = uas.to_bytes();
    for len in 0..bytes.len() {
        assert!(Uas::from_bytes(&bytes[..len]).is_err());
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let Ok(mut uas) = Uas::from_bytes(&damaged) else { continue };
            let Some(now) = uas.deadline() else { continue };
            let mut out = Outputs::new();
            uas.tick(now, &mut out);
            assert!(uas.deadline().is_none_or(|next| next > now), "{uas:?}");
        }
    }
}

proptest! {
    /// Whatever is lost: each response is processed once, in order, and both ends run dry.
    #[test]
    fn every_response_is_heard_once_and_in_order(seed: u64, count in 1..8u32, loss in 0..600u32) {
        let mut rng = Rng::seeded(seed);
        let (mut uas, mut uac) = (Uas::new(3, seed, T1), Uac::new(3));
        let (mut now, mut heard, mut lost, mut expected) = (T0, Vec::new(), false, Vec::new());
        let mut out = Outputs::new();
        for _ in 0..count {
            expected.push(uas.send(rng.chance(500), now, &mut out).unwrap());
        }
        for _ in 0..200 {
            uas = Uas::from_bytes(&uas.to_bytes()).unwrap();
            for output in std::mem::take(&mut out) {
                let (Output::Send(rseq) | Output::Resend(rseq)) = output else {
                    lost |= matches!(output, Output::GiveUp(_));
                    continue;
                };
                if rng.chance(loss) {
                    continue;
                }
                // The PRACK is a transaction of its own: it gets through in the end, or the response comes again.
                let acknowledge = match uac.hear(rseq) {
                    Heard::New(rack) => {
                        heard.push(rseq);
                        Some(rack)
                    }
                    Heard::Copy => Some(RAck { rseq, cseq: 3, method: Method::Invite }),
                    Heard::OutOfOrder => None,
                };
                if let Some(rack) = acknowledge.filter(|_| !rng.chance(loss)) {
                    let _ = uas.prack(rack, now, &mut out);
                }
            }
            if out.is_empty() {
                let Some(at) = uas.deadline() else { break };
                now = at;
                uas.tick(now, &mut out);
            }
        }
        prop_assert_eq!(&heard[..], &expected[..heard.len()]);
        prop_assert!(lost || heard.len() == expected.len());
        prop_assert_eq!(uas.deadline(), None);
    }
}
