//! Marks in every part of what one side says, looked for in every octet the other side gets
//! (docs/reference/header-policies.md).

use super::tests::{inside, only, reply, sent, table, to_bob};
use crate::engine::testing::{ALICE, BOB, Table};

/// A body whose every line carries a mark.
fn body(mark: &str) -> String {
    format!(
        "v=0\no=own{mark} 47110815 47110816 IN IP4 192.0.2.77\ns=name{mark}\ni=info{mark}\nu=http://{mark}/\n\
         e={mark}@mail\np=+{mark}\nc=IN IP4 192.0.2.10\nb=AS:64\nt=0 0\na=tool:{mark}\na=x-session-{mark}:1\n\
         m=audio 4000 RTP/AVP 0\ni=title{mark}\na=rtpmap:0 PCMU/8000\na=x-media-{mark}:1\na=sendrecv\n"
    )
}

/// Header fields a stranger may put into any message, each with the mark; what passes bears `passes` in its place.
fn lines(mark: &str) -> String {
    let hidden = [
        "Alert-Info: <http://MARK/>",
        "Call-Info: <http://MARK/>;purpose=icon",
        "Date: MARK",
        "Diversion: <sip:div@MARK>",
        "Geolocation: <sip:geo@MARK>",
        "History-Info: <sip:hist@MARK>;index=1",
        "Organization: MARK",
        "P-Access-Network-Info: MARK",
        "P-Asserted-Identity: <sip:pai@MARK>",
        "P-Charging-Vector: icid-value=MARK",
        "Remote-Party-ID: <sip:rpid@MARK>",
        "Reply-To: <sip:reply@MARK>",
        "Server: MARK",
        "Session-ID: MARK",
        "User-Agent: MARK",
        "Warning: 399 MARK \"MARK\"",
        "X-Any: MARK",
    ];
    let shown = ["Subject: passes-subject", "User-to-User: passes-uui", "Privacy: passes-privacy"];
    let mut text = String::new();
    for line in hidden.iter().chain(&shown) {
        text += &line.replace("MARK", mark);
        text.push('\n');
    }
    text
}

#[track_caller]
fn shows_nothing(what: &str, mark: &str, seen: &str) {
    for secret in [mark, "47110815", "192.0.2.77"] {
        let found = seen.lines().find(|line| line.contains(secret));
        assert!(found.is_none(), "{what}: {secret} in {found:?} of\n{seen}");
    }
}

fn marked_invite() -> String {
    let body = body("cana");
    let length = body.replace('\n', "\r\n").len();
    format!(
        "INVITE sip:bob:pwcana@example.com;user=phone;pcana=1 SIP/2.0\n\
         Via: SIP/2.0/UDP {ALICE};branch=z9hG4bKcana;rport;vcana=1\nVia: SIP/2.0/UDP hop.cana;branch=z9hG4bKcana2\n\
         Record-Route: <sip:192.0.2.10;lr;rcana=1>\nMax-Forwards: 70\n\
         From: \"Alice\" <sip:alice:pwcana@host.cana;ucana=1>;tag=tcana;fcana=1\n\
         To: \"cana\" <sip:bob@to.cana;tcana=1>;hcana=1\nCall-ID: cana@host.cana\nCSeq: 1 INVITE\n\
         Contact: \"cana\" <sip:usercana@{ALICE};ccana=1>;+sip.instance=\"<urn:cana>\"\n{}\
         Content-Type: application/sdp\nContent-Length: {length}\n\n{body}",
        lines("cana")
    )
}

/// The callee's answer with a mark in everything.
fn marked_reply(request: &str, status: &str) -> String {
    let plain = reply(request, status, "tbnb", BOB, &body("bnb"));
    let contact = format!("Contact: <sip:x@{BOB}>");
    let marked =
        format!("Contact: \"bnb\" <sip:ubnb@{BOB};cbnb=1>\nRecord-Route: <sip:192.0.2.20;lr;rbnb=1>");
    plain.replace(&contact, &format!("{marked}\n{}", lines("bnb").trim_end()))
}

fn up(table: &mut Table) -> (String, String) {
    table.receive(ALICE, &marked_invite());
    let (_, invite) = only(table);
    shows_nothing("INVITE", "cana", &invite);
    for shown in ["passes-subject", "passes-uui", "passes-privacy"] {
        assert!(invite.contains(shown), "{shown} does not pass");
    }
    table.receive(BOB, &marked_reply(&invite, "183 Reasonbnb").replace("Reasonbnb", "Progress"));
    let (_, early) = only(table);
    shows_nothing("183", "bnb", &early);
    table.receive(BOB, &marked_reply(&invite, "200 OK"));
    let both = sent(table);
    let ok = both.iter().find(|(to, _)| to == ALICE).expect("a 200").1.clone();
    shows_nothing("200", "bnb", &ok);
    for (_, ack) in both.iter().filter(|(to, _)| to != ALICE) {
        shows_nothing("ACK", "cana", ack);
    }
    table.receive(ALICE, &inside("ACK", "ackcana", 1, &ok, ALICE, &lines("cana"), ""));
    (invite, ok)
}

#[test]
fn the_other_side_sees_nothing_but_the_table() {
    let mut table = table(to_bob);
    let (_, ok) = up(&mut table);
    sent(&mut table);
    for (cseq, method) in (2..).zip(["INFO", "MESSAGE", "UPDATE", "INVITE", "OPTIONS", "BYE"]) {
        let with_body = matches!(method, "UPDATE" | "INVITE");
        let text = if with_body { body("cana") } else { String::new() };
        table
            .receive(ALICE, &inside(method, &format!("cana{cseq}"), cseq, &ok, ALICE, &lines("cana"), &text));
        let all = sent(&mut table);
        let passed = all.iter().find(|(to, m)| to == BOB && m.starts_with(method));
        let (_, passed) = passed.unwrap_or_else(|| panic!("{method} does not pass: {all:#?}"));
        shows_nothing(method, "cana", passed);
        if method != "BYE" {
            table.receive(BOB, &marked_reply(passed, "200 OK"));
            for (to, answer) in sent(&mut table) {
                shows_nothing("an answer", if to == ALICE { "bnb" } else { "cana" }, &answer);
            }
        }
        if method == "INVITE" {
            table.receive(ALICE, &inside("ACK", "canaack", cseq, &ok, ALICE, &lines("cana"), ""));
            sent(&mut table);
        }
    }
}

#[test]
fn the_caller_sees_nothing_of_a_callee_that_asks_or_refuses() {
    let mut table = table(to_bob);
    let (invite, _) = up(&mut table);
    sent(&mut table);
    for (cseq, method) in (1..).zip(["INFO", "UPDATE", "BYE"]) {
        let text = if method == "UPDATE" { body("bnb") } else { String::new() };
        let request = inside(method, &format!("bnb{cseq}"), cseq, &invite, BOB, &lines("bnb"), &text);
        table.receive(BOB, &request.replace(";tag=b1", ";tag=tbnb"));
        let all = sent(&mut table);
        let passed = all.iter().find(|(to, m)| to == ALICE && m.starts_with(method));
        let (_, passed) = passed.unwrap_or_else(|| panic!("{method} does not pass: {all:#?}"));
        shows_nothing(method, "bnb", passed);
        if method != "BYE" {
            table.receive(ALICE, &reply(passed, "200 OK", "", ALICE, &text.replace("bnb", "cana")));
            sent(&mut table);
        }
    }
    let mut refused = super::tests::table(to_bob);
    refused.receive(ALICE, &marked_invite());
    let (_, invite) = only(&mut refused);
    refused.receive(BOB, &marked_reply(&invite, "486 Busy Here"));
    let all = sent(&mut refused);
    let (_, busy) = all.iter().find(|(to, _)| to == ALICE).expect("a 486");
    shows_nothing("486", "bnb", busy);
}
