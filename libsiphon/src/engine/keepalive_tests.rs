use crate::base::time::Duration;
use crate::engine::settings::Settings;
use crate::engine::testing::{Table, response};
use crate::policy::{Decision, Verdict};
use crate::proto::registrar::{PingMethod, PingSettings};

/// Where the NAT lets bob's phone appear.
const OUTSIDE: &str = "198.51.100.7:41000";

fn table(method: PingMethod) -> Table {
    let ping = PingSettings {
        method,
        interval: Duration::from_secs(30),
        failure_threshold: 3,
        ..PingSettings::default()
    };
    let settings = Settings { pings: vec![ping], ..Settings::default() };
    let mut table = Table::with(settings, |_| Some(Verdict::of(Decision::RoleProcedure)));
    table.receive(OUTSIDE, REGISTER);
    assert_eq!(table.lines(), [format!("{OUTSIDE} SIP/2.0 200 OK")]);
    table
}

const REGISTER: &str = "REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bKr1;rport
Max-Forwards: 70
From: <sip:bob@example.com>;tag=r
To: <sip:bob@example.com>
Call-ID: reg-1
CSeq: 1 REGISTER
Contact: <sip:bob@10.0.0.7:5060>;expires=3600
Content-Length: 0

";

#[test]
fn a_phone_behind_a_nat_is_pinged_where_it_came_from() {
    let mut table = table(PingMethod::Options);
    let mut pings = 0;
    // Answered pings, whatever the answer, keep the binding for as long as it was granted.
    for _ in 0..600 {
        table.advance(Duration::from_secs(1));
        for (to, ping) in std::mem::take(table.sent_mut()) {
            assert_eq!(to.to_string(), OUTSIDE);
            assert!(ping.starts_with("OPTIONS sip:bob@10.0.0.7:5060 SIP/2.0\r\n"), "{ping}");
            table.receive(OUTSIDE, &response(&ping, "404 Not Found"));
            pings += 1;
        }
    }
    assert!((19..=21).contains(&pings), "{pings}");
    assert_eq!(table.shard.node().registrar.location.aor_count(), 1);
}

#[test]
fn a_phone_that_falls_silent_loses_its_binding() {
    let mut table = table(PingMethod::Options);
    table.advance(Duration::from_secs(30 * 6));
    assert_eq!(table.shard.node().registrar.location.aor_count(), 0);
    table.lines();
    table.advance(Duration::from_secs(120));
    assert_eq!(table.lines(), Vec::<String>::new(), "what is gone is not pinged");
}

#[test]
fn empty_lines_keep_the_way_open_and_never_remove_a_binding() {
    let mut table = table(PingMethod::Crlf);
    table.advance(Duration::from_secs(30 * 20));
    let sent = table.sent_mut().drain(..).collect::<Vec<_>>();
    assert!(sent.len() >= 19, "{}", sent.len());
    assert!(sent.iter().all(|(to, text)| to.to_string() == OUTSIDE && text == "\r\n\r\n"));
    assert_eq!(table.shard.node().registrar.location.aor_count(), 1);
}
