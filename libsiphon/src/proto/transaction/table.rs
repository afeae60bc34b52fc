//! Prints and checks a machine's whole state x event table, for the tests of the four machines.

use super::timers::Timer;
use super::{Machine, Outputs};
use crate::base::time::Instant;
use std::fmt::Write;

/// A machine in one of its situations; several may share a state.
pub(super) struct Situation<M> {
    pub(super) name: &'static str,
    pub(super) machine: M,
    /// When it got there; each event of the table happens at this time.
    pub(super) now: Instant,
}

/// Every event in every situation: next state, outputs, timers armed afterwards (counted from then).
pub(super) fn print<M: Machine>(situations: &[Situation<M>]) -> String {
    let mut text = String::new();
    for s in situations {
        writeln!(text, "{} [{}]{}", s.name, state_name(&s.machine), timers(&s.machine, s.now)).unwrap();
        for &event in M::EVENTS {
            let (after, out, now) = stepped(s, event);
            if after.to_bytes() == s.machine.to_bytes() && out.is_empty() {
                writeln!(text, "    {event:<16} -").unwrap();
                continue;
            }
            let out: Vec<_> = out.iter().map(|o| format!("{o:?}")).collect();
            let (state, timers) = (state_name(&after), timers(&after, now));
            writeln!(text, "    {event:<16} -> {state:<11}{timers}  {}", out.join(", ")).unwrap();
        }
    }
    text
}

/// `LEGAL` is exactly the cells in which some situation makes the machine do something.
pub(super) fn assert_legal_cells<M: Machine>(situations: &[Situation<M>]) {
    for &state in M::STATES {
        assert!(situations.iter().any(|s| s.machine.state() == state), "no situation in {state:?}");
        for &event in M::EVENTS {
            let acts = situations.iter().filter(|s| s.machine.state() == state).any(|s| {
                let (after, out, _) = stepped(s, event);
                after.to_bytes() != s.machine.to_bytes() || !out.is_empty()
            });
            assert_eq!(M::LEGAL.contains(&(state, event)), acts, "{state:?} x {event}");
        }
    }
}

/// Each situation survives encoding, and no damaged encoding is taken for a machine that would spin.
pub(super) fn assert_codec<M: Machine + PartialEq + std::fmt::Debug>(situations: &[Situation<M>]) {
    for s in situations {
        let bytes = s.machine.to_bytes();
        assert_eq!(M::from_bytes(&bytes), Ok(s.machine), "{}", s.name);
        for len in 0..bytes.len() {
            assert!(M::from_bytes(&bytes[..len]).is_err(), "{} cut to {len}", s.name);
        }
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                let Ok(mut machine) = M::from_bytes(&damaged) else { continue };
                let Some(deadline) = machine.deadline() else { continue };
                let timer = machine.due(deadline).expect("a timer is due at the deadline");
                machine.step(timer.into(), deadline, &mut Outputs::new());
                assert!(machine.deadline().is_none_or(|next| next > deadline), "{machine:?}");
            }
        }
    }
}

/// The machine after `event`, what it asked for, and when: a timer fires at its time, and only if it runs.
fn stepped<M: Machine>(s: &Situation<M>, event: M::Event) -> (M, Outputs<M::Output>, Instant) {
    let (mut after, mut out, mut now) = (s.machine, Outputs::new(), s.now);
    if Timer::ALL.into_iter().any(|timer| event == timer.into()) {
        let mut armed = s.machine.alarms().into_iter().filter(|&(timer, _)| event == timer.into());
        match armed.find_map(|(_, alarm)| alarm.at()) {
            Some(at) => now = at,
            None => return (after, out, now),
        }
    }
    after.step(event, now, &mut out);
    (after, out, now)
}

fn state_name<M: Machine>(machine: &M) -> String {
    format!("{:?}", machine.state())
}

fn timers<M: Machine>(machine: &M, now: Instant) -> String {
    machine.alarms().into_iter().filter_map(|(timer, alarm)| Some((timer, alarm.at()?))).fold(
        String::new(),
        |text, (timer, at)| {
            let secs = (at.0 as i64 - now.0 as i64) as f64 / 1e6;
            format!("{text} {timer}={secs}s")
        },
    )
}

/// Lets time pass up to and including `until`, ticking at every deadline; returns what was asked for, each with
/// its milliseconds after `start`.
pub(super) fn run<M: Machine>(
    machine: &mut M,
    tick: M::Input,
    start: Instant,
    until: Instant,
) -> Vec<(u64, M::Output)> {
    let mut log = Vec::new();
    while let Some(now) = machine.deadline().filter(|&at| at <= until) {
        let mut out = Outputs::new();
        machine.handle(tick, now, &mut out);
        assert!(!out.is_empty(), "a timer fired for nothing");
        log.extend(out.into_iter().map(|o| ((now.0 - start.0) / 1000, o)));
    }
    log
}
