use super::*;
use crate::base::flow::Transport;
use crate::proto::transaction::{Class, Outputs, TimerSettings};

#[test]
fn a_cell_is_noted_once_and_stays_noted() {
    let mut cells = Cells::default();
    assert_eq!(cells.missing().len(), Cells::legal());
    let now = Instant::EPOCH;
    let machine = Client::start(true, Transport::Udp, TimerSettings::default(), now, &mut Outputs::new());
    cells.client(&machine, ClientInput::Response(Class::Provisional), now);
    cells.client(&machine, ClientInput::Response(Class::Provisional), now);
    let missing = cells.missing();
    assert_eq!(missing.len(), Cells::legal() - 1);
    assert!(!missing.contains(&"Ict Calling x 1xx".to_owned()), "{missing:?}");
    let mut other = Cells::default();
    other.client(&machine, ClientInput::TransportError, now);
    cells.merge(&other);
    assert_eq!(cells.missing().len(), Cells::legal() - 2);
}
