use crate::base::time::Duration;
use crate::engine::testing::{ALICE, BOB, Table, request, response};
use crate::policy::{Decision, RelayOptions, Verdict};

/// Where the NAT lets bob's phone appear.
const OUTSIDE: &str = "198.51.100.7:41000";
const EDGE: &str = "192.0.2.30:5060";
const ROUTE: &str = "Route: <sip:192.0.2.1:5060;lr>\n";

/// Bob's phone registers from `from`; his public and his temporary GRUU.
fn register(table: &mut Table, from: &str, cseq: u32, more: &str) -> [String; 2] {
    let contact = "Contact: <sip:bob@10.0.0.7:5060>;+sip.instance=\"<urn:uuid:1>\"\n";
    let contact = if more.contains("Contact:") { "" } else { contact };
    table.receive(
        from,
        &format!(
            "REGISTER sip:example.com SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.7:5060;branch=z9hG4bKr{cseq};rport\n\
             Max-Forwards: 70\nFrom: <sip:bob@example.com>;tag=r\nTo: <sip:bob@example.com>\nCall-ID: reg-1\n\
             CSeq: {cseq} REGISTER\nSupported: gruu, path\n{more}\
             {contact}Content-Length: 0\n\n"
        ),
    );
    let answer = table.last();
    assert!(answer.starts_with("SIP/2.0 200 "), "{answer}");
    ["pub-gruu=\"", "temp-gruu=\""].map(|name| {
        let rest = answer.split(name).nth(1).unwrap_or_default();
        rest.split('"').next().unwrap_or_default().to_owned()
    })
}

/// REGISTER goes to the registrar, all else is relayed as it stands.
fn relaying() -> Table {
    Table::new(|question| {
        let is_register = question.request.method_name() == "REGISTER";
        let relay = Decision::Relay(RelayOptions::default());
        Some(Verdict::of(if is_register { Decision::RoleProcedure } else { relay }))
    })
}

fn no_script() -> Table {
    Table::new(|_| Some(Verdict::of(Decision::RoleProcedure)))
}

/// What is sent for a request of alice's: to where, and whole.
fn sent_for(table: &mut Table, request: &str) -> Vec<(String, String)> {
    table.sent_mut().clear();
    table.receive(ALICE, request);
    table.sent_mut().drain(..).map(|(to, text)| (to.to_string(), text)).collect()
}

#[test]
fn in_a_dialog_a_gruu_is_translated_and_the_flow_of_its_binding_is_taken() {
    for mut table in [relaying(), no_script()] {
        let gruus = register(&mut table, OUTSIDE, 1, "");
        for (gruu, branch) in gruus.iter().zip(["p", "t"]) {
            assert!(gruu.contains(";gr"), "{gruu}");
            for method in ["ACK", "BYE"] {
                let sent =
                    sent_for(&mut table, &request(method, gruu, &format!("{branch}{method}"), "b1", ROUTE));
                let [(to, text)] = &sent[..] else { panic!("{sent:?}") };
                assert_eq!(to, OUTSIDE);
                assert!(text.starts_with(&format!("{method} sip:bob@10.0.0.7:5060 SIP/2.0\r\n")), "{text}");
                assert!(!text.contains("\r\nRoute:"), "{text}");
                if method == "BYE" {
                    table.receive(OUTSIDE, &response(text, "200 OK"));
                    assert_eq!(table.lines(), [format!("{ALICE} SIP/2.0 200 OK")]);
                }
            }
        }
    }
}

#[test]
fn the_path_of_the_binding_is_put_on_top_of_what_is_left_of_the_route() {
    let mut table = relaying();
    let gruus = register(&mut table, EDGE, 1, "Path: <sip:192.0.2.30;lr>\n");
    for (gruu, branch) in gruus.iter().zip(["p", "t"]) {
        for method in ["ACK", "BYE"] {
            let route = "Route: <sip:192.0.2.1:5060;lr>, <sip:x@192.0.2.30;lr>\n";
            let sent =
                sent_for(&mut table, &request(method, gruu, &format!("{branch}{method}"), "b1", route));
            let [(to, text)] = &sent[..] else { panic!("{sent:?}") };
            assert_eq!(to, EDGE);
            assert!(text.starts_with(&format!("{method} sip:bob@10.0.0.7:5060 SIP/2.0\r\n")), "{text}");
            let routes: Vec<_> = text.lines().filter(|l| l.starts_with("Route:")).collect();
            assert_eq!(routes, ["Route: <sip:192.0.2.30;lr>", "Route: <sip:x@192.0.2.30;lr>"]);
        }
    }
}

#[test]
fn a_route_that_comes_back_here_is_followed_first() {
    let mut table = relaying();
    let [public, _] = register(&mut table, OUTSIDE, 1, "");
    let route = "Route: <sip:192.0.2.1:5060;lr>, <sip:192.0.2.20;lr>, <sip:192.0.2.1:5060;lr>\n";
    let sent = sent_for(&mut table, &request("BYE", &public, "1", "b1", route));
    let [(to, text)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(to, BOB);
    assert!(text.starts_with(&format!("BYE {public} SIP/2.0\r\n")), "{text}");
}

#[test]
fn of_several_contacts_of_an_instance_the_one_refreshed_last_is_taken_whatever_its_q() {
    let mut table = relaying();
    let [public, _] = register(&mut table, OUTSIDE, 1, "");
    table.advance(Duration::from_secs(10));
    register(&mut table, OUTSIDE, 2, "Contact: <sip:new@10.0.0.8>;q=0.1;+sip.instance=\"<urn:uuid:1>\"\n");
    let sent = sent_for(&mut table, &request("BYE", &public, "1", "b1", ROUTE));
    let [(_, text)] = &sent[..] else { panic!("{sent:?}") };
    assert!(text.starts_with("BYE sip:new@10.0.0.8"), "{text}");
}

#[test]
fn a_dialog_whose_phone_has_unregistered_goes_on_by_the_flow_of_our_route_token() {
    let mut table = no_script();
    let [public, _] = register(&mut table, OUTSIDE, 1, "");
    table.receive(ALICE, &request("INVITE", &public, "i", "", ""));
    let invite = table.last();
    let route =
        invite.lines().find_map(|l| l.strip_prefix("Record-Route:")).expect("our Record-Route").to_owned();
    table.receive(OUTSIDE, &response(&invite, "200 OK"));
    table.advance(Duration::from_secs(7200));
    for method in ["ACK", "BYE"] {
        let route = format!("Route:{route}\n");
        let sent = sent_for(&mut table, &request(method, &public, method, "b1", &route));
        let [(to, text)] = &sent[..] else { panic!("{sent:?}") };
        assert_eq!(to, OUTSIDE);
        assert!(text.starts_with(&format!("{method} {public} SIP/2.0\r\n")), "{text}");
    }
}

#[test]
fn without_a_binding_the_answer_is_480_and_an_invalid_gruu_is_404() {
    for mut table in [relaying(), no_script()] {
        let [public, temporary] = register(&mut table, OUTSIDE, 1, "");
        let other = "sip:bob@example.com;gr=urn:uuid:2";
        let cases = [
            (other, "480 Temporarily Unavailable"),
            ("sip:nobody@example.com;gr=urn:uuid:1", "404 Not Found"),
            ("sip:bob@example.com;gr", "404 Not Found"),
        ];
        for (n, (uri, answer)) in cases.into_iter().enumerate() {
            let sent = sent_for(&mut table, &request("BYE", uri, &format!("b{n}"), "b1", ROUTE));
            let [(to, text)] = &sent[..] else { panic!("{sent:?}") };
            assert_eq!(to, ALICE);
            assert!(text.starts_with(&format!("SIP/2.0 {answer}\r\n")), "{uri}: {text}");
            let sent = sent_for(&mut table, &request("ACK", uri, &format!("a{n}"), "b1", ROUTE));
            assert!(sent.is_empty(), "{sent:?}");
        }
        table.advance(Duration::from_secs(7200));
        for (n, gruu) in [public, temporary].iter().enumerate() {
            let sent = sent_for(&mut table, &request("BYE", gruu, &format!("c{n}"), "b1", ROUTE));
            let [(to, text)] = &sent[..] else { panic!("{sent:?}") };
            assert_eq!(to, ALICE);
            assert!(text.starts_with("SIP/2.0 4"), "{text}");
            assert!(
                sent_for(&mut table, &request("ACK", gruu, &format!("d{n}"), "b1", ROUTE)).is_empty(),
                "an ACK is never answered"
            );
        }
    }
}

#[test]
fn outside_a_dialog_and_without_a_route_a_gruu_is_translated_as_well() {
    for mut table in [relaying(), no_script()] {
        let gruus = register(&mut table, OUTSIDE, 1, "");
        for (gruu, branch) in gruus.iter().zip(["p", "t"]) {
            for (method, tag) in [("INVITE", ""), ("INFO", "b1"), ("ACK", "b1")] {
                let sent =
                    sent_for(&mut table, &request(method, gruu, &format!("{branch}{method}"), tag, ""));
                let [(to, text)] = &sent[..] else { panic!("{sent:?}") };
                assert_eq!(to, OUTSIDE);
                assert!(text.starts_with(&format!("{method} sip:bob@10.0.0.7:5060 SIP/2.0\r\n")), "{text}");
            }
        }
    }
}

#[test]
fn a_foreign_uri_with_gr_is_left_alone() {
    let mut table = relaying();
    let sent = sent_for(&mut table, &request("BYE", "sip:bob@192.0.2.20;gr=urn:uuid:1", "1", "b1", ROUTE));
    let [(to, text)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(to, BOB);
    assert!(text.starts_with("BYE sip:bob@192.0.2.20;gr=urn:uuid:1 SIP/2.0\r\n"), "{text}");
}
