//! Which cells of the four machines' state x event tables were entered. Nobody counts them but the simulator, which must
//! show that its traffic reaches what the machines can do.

use super::{Client, ClientInput, Ict, Ist, Machine, Nict, Nist, Server, ServerInput};
use crate::base::time::Instant;

/// A set of cells of each machine, one bit a cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cells {
    ict: u128,
    ist: u128,
    nict: u128,
    nist: u128,
}

impl Cells {
    /// Notes the cell that a client transaction is about to enter.
    pub fn client(&mut self, machine: &Client, input: ClientInput, now: Instant) {
        match machine {
            Client::Invite(ict) => self.ict |= bit(ict, input, now),
            Client::NonInvite(nict) => self.nict |= bit(nict, input, now),
        }
    }

    /// Notes the cell that a server transaction is about to enter.
    pub fn server(&mut self, machine: &Server, input: ServerInput, now: Instant) {
        match machine {
            Server::Invite(ist) => self.ist |= bit(ist, input, now),
            Server::NonInvite(nist) => self.nist |= bit(nist, input, now),
        }
    }

    /// Adds what others saw.
    pub fn merge(&mut self, other: &Cells) {
        self.ict |= other.ict;
        self.ist |= other.ist;
        self.nict |= other.nict;
        self.nist |= other.nist;
    }

    /// How many legal cells there are in the four tables.
    pub fn legal() -> usize {
        Ict::LEGAL.len() + Ist::LEGAL.len() + Nict::LEGAL.len() + Nist::LEGAL.len()
    }

    /// The legal cells that were never entered, e.g. `Ict Calling x timer A`.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        legal_but_not::<Ict>("Ict", self.ict, &mut missing);
        legal_but_not::<Ist>("Ist", self.ist, &mut missing);
        legal_but_not::<Nict>("Nict", self.nict, &mut missing);
        legal_but_not::<Nist>("Nist", self.nist, &mut missing);
        missing
    }
}

fn bit<M: Machine>(machine: &M, input: M::Input, now: Instant) -> u128 {
    machine.cell(input, now).map_or(0, place::<M>)
}

fn place<M: Machine>((state, event): (M::State, M::Event)) -> u128 {
    let row = M::STATES.iter().position(|s| *s == state).unwrap_or(0);
    let column = M::EVENTS.iter().position(|e| *e == event).unwrap_or(0);
    1 << (row * M::EVENTS.len() + column)
}

fn legal_but_not<M: Machine>(name: &str, seen: u128, missing: &mut Vec<String>) {
    let unseen = M::LEGAL.iter().filter(|cell| seen & place::<M>(**cell) == 0);
    missing.extend(unseen.map(|(state, event)| format!("{name} {state:?} x {event}")));
}

#[cfg(test)]
#[path = "cells_tests.rs"]
mod tests;
