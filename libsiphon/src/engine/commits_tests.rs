use crate::base::time::Duration;
use crate::engine::contract::Input;
use crate::engine::testing::{ALICE, Table};
use crate::event::Kind;
use crate::policy::{Decision, Verdict};
use crate::proto::registrar::RegistrarSettings;
use crate::wire::sip::Uri;

/// A node whose registrations wait for a store, and two of them that do: of the desk phone first.
fn two_waiting() -> Table {
    let mut table = Table::new(|_| Some(Verdict::of(Decision::RoleProcedure)));
    let settings = RegistrarSettings { commit: true, ..RegistrarSettings::default() };
    table.shard.node().registrar.configure(settings);
    for (number, phone) in [(1, "desk"), (2, "mobile")] {
        table.receive(
            ALICE,
            &format!(
                "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP {ALICE};branch=z9hG4bK{phone};rport\nMax-Forwards: 70\n\
                 From: <sip:bob@example.com>;tag={phone}\nTo: <sip:bob@example.com>\nCall-ID: {phone}\nCSeq: {number} REGISTER\n\
                 Contact: <sip:{phone}@192.0.2.20>\nContent-Length: 0\n\n"
            ),
        );
    }
    assert_eq!((table.commits.len(), table.lines()), (2, Vec::new()), "both wait");
    table
}

fn contacts(table: &Table) -> Vec<String> {
    let uri = Uri::parse("sip:bob@example.com").unwrap();
    let bindings = table.shard.node().registrar.lookup(&uri, table.now);
    bindings.iter().map(|b| b.uri.to_string()).collect()
}

fn refused_by_the_store(table: &Table) -> Vec<String> {
    let told = table.told.iter().filter_map(|kind| match kind {
        Kind::StoreRefused { aor } => Some(aor.to_string()),
        _ => None,
    });
    told.collect()
}

/// The store refuses the first; the second, which holds it, is stored, and has to be corrected.
fn corrected() -> Table {
    let mut table = two_waiting();
    let (first, second) = (table.commits[0].0, table.commits[1].0);
    table.feed(Input::CommitFailed { ticket: first });
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 500 Server Internal Error")]);
    assert_eq!(contacts(&table), ["sip:mobile@192.0.2.20"]);
    table.feed(Input::Committed { ticket: second });
    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 200 OK")]);
    assert_eq!(table.commits.len(), 3, "the store is told better");
    table
}

#[test]
fn a_correction_that_is_stored_is_the_end_of_it() {
    let mut table = corrected();
    let ticket = table.commits[2].0;
    table.feed(Input::Committed { ticket });
    assert_eq!((refused_by_the_store(&table), table.commits.len()), (Vec::new(), 3));
    assert_eq!((contacts(&table).len(), table.shard.open_tickets()), (1, 0));
}

#[test]
fn a_correction_that_the_store_refuses_or_never_answers_is_told() {
    for answers in [true, false] {
        let mut table = corrected();
        let ticket = table.commits[2].0;
        match answers {
            true => table.feed(Input::CommitFailed { ticket }),
            false => table.advance(Duration::from_secs(61)),
        }
        assert_eq!(refused_by_the_store(&table), ["sip:bob@example.com"]);
        assert_eq!(contacts(&table), ["sip:mobile@192.0.2.20"], "what phones were told stands");
        assert_eq!(table.shard.open_tickets(), 0);
    }
}
