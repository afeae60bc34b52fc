//! siphon-sbc between real peers: SIPp at both ends, both graded; two baresip phones with their sound through Debian's
//! rtpengine.

use std::net::SocketAddr;

use siphon_tests::baresip::{Account, Baresip};
use siphon_tests::daemon::Daemon;
use siphon_tests::rtpengine::Engine;
use siphon_tests::scratch::Scratch;
use siphon_tests::sipp::{Load, Sipp};

/// Dials one address for everybody, and says in its log how each call ended.
const SCRIPT: &str = r#"
from siphon import b2bua, log, proxy


@proxy.on_request
def route(request):
    request.reply(405)


@b2bua.on_invite
def on_invite(call):
    call.dial("sip:bob@CALLEE")


@b2bua.on_bye
def on_bye(call, initiator):
    log.info(f"call over: {initiator}")


@b2bua.on_cancel
def on_cancel(call):
    log.info("call over: cancelled")


@b2bua.on_failure
def on_failure(call, code, reason):
    log.info(f"call over: {code}")
"#;

fn sbc(callee: SocketAddr, transport: &str, shards: u8) -> Daemon {
    let scratch = Scratch::new("sbc");
    scratch.write("route.py", SCRIPT.replace("CALLEE", &format!("{callee}{transport}")));
    let config = format!(
        "listen: {{udp: [\"127.0.0.1:0\"], tcp: [\"127.0.0.1:0\"]}}\nshards: {shards}\n\
         domain: {{local: [example.com]}}\nscript: {{path: route.py}}\n\
         transaction: {{t1_ms: 100}}\n"
    );
    Daemon::start_as("siphon-sbc", scratch, &config)
}

/// Runs a pair of scenarios through siphon-sbc, on one shard and on three, and counts how the calls ended.
fn pair(scenario: &str, load: Load, over: &str) {
    for shards in [1, 3] {
        let callee = Sipp::callee(&format!("b2b_uas_{scenario}"), load);
        let transport = if load.uas == "t1" { ";transport=tcp" } else { "" };
        let sbc = sbc(callee.local(), transport, shards);
        let at = if load.uac == "t1" { sbc.sip_tcp() } else { sbc.sip() };
        let caller = Sipp::caller(&format!("b2b_uac_{scenario}"), at, "bob", load);
        caller.grade();
        callee.grade();
        let log = sbc.process.log();
        let ended = log.matches(&format!("call over: {over}")).count();
        assert_eq!(ended, load.calls as usize, "{shards} shards:\n{log}");
    }
}

#[test]
fn a_call_through_two_dialogs_is_set_up_and_ended_by_the_caller() {
    pair("call", Load::default(), "caller");
}

#[test]
fn a_call_through_two_dialogs_is_ended_by_the_callee() {
    pair("callee_bye", Load::default(), "callee");
}

#[test]
fn a_call_through_two_dialogs_goes_from_tcp_to_udp_and_back() {
    pair("call", Load { uac: "t1", ..Load::default() }, "caller");
    pair("call", Load { uas: "t1", ..Load::default() }, "caller");
}

#[test]
fn a_call_through_two_dialogs_is_cancelled() {
    pair("cancel", Load::default(), "cancelled");
}

#[test]
fn a_call_through_two_dialogs_is_refused() {
    pair("busy", Load::default(), "486");
}

#[test]
fn a_session_through_two_dialogs_is_changed() {
    pair("reinvite", Load::default(), "caller");
}

#[test]
fn an_offer_through_two_dialogs_comes_late() {
    pair("late_offer", Load::default(), "caller");
}

const ALICE: Account<'_> = Account {
    user: "alice",
    password: "secret",
    tone: 440.0,
    transport: "udp",
    dials: Some("sip:bob@example.com"),
    lives: 5,
};
const BOB: Account<'_> =
    Account { user: "bob", password: "secret", tone: 1000.0, transport: "udp", dials: None, lives: 8 };
const TONES: [f64; 5] = [300.0, 440.0, 600.0, 1000.0, 2000.0];

#[test]
fn two_softphones_hear_each_other_through_siphon_sbc_and_rtpengine() {
    let engine = Engine::start();
    let scratch = Scratch::new("sbc-media");
    scratch.write("route.py", include_str!("../../examples/b2bua_rtpengine.py"));
    let config = format!(
        "listen: {{udp: [\"127.0.0.1:0\"], tcp: [\"127.0.0.1:0\"]}}\ndomain: {{local: [example.com]}}\n\
         script: {{path: route.py}}\nauth: {{realm: example.com, users: {{alice: secret, bob: secret}}}}\n\
         media: {{rtpengine: {{address: \"{}\"}}}}\n",
        engine.ng()
    );
    let sbc = Daemon::start_as("siphon-sbc", scratch, &config);
    let mut callee = Baresip::start(sbc.sip(), &BOB);
    callee.said("200 OK");
    let mut caller = Baresip::start(sbc.sip(), &ALICE);
    let (at_caller, at_callee) = (caller.heard(&TONES), callee.heard(&TONES));
    assert_eq!(at_caller.tone, Some(BOB.tone), "{at_caller:?}\n{}", sbc.process.log());
    assert_eq!(at_callee.tone, Some(ALICE.tone), "{at_callee:?}\n{}", sbc.process.log());
    assert!(at_caller.seconds > 2.0 && at_callee.seconds > 2.0, "{at_caller:?} {at_callee:?}");
    assert_eq!(engine.sessions(), 0, "the session is deleted with the call");
}
