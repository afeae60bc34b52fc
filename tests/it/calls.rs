//! Calls between SIPp phones through the subject's default routing, both ends graded.

use std::time::Duration;

use siphon_tests::phone::Phone;
use siphon_tests::sipp::{Load, Sipp};
use siphon_tests::subject::{Options, Server};

/// Runs a pair of scenarios with bob registered at the callee's address.
fn pair(uac: &str, uas: &str, load: Load) {
    pair_on(Server::start(), uac, uas, load);
}

fn pair_on(server: Server, uac: &str, uas: &str, load: Load) {
    let callee = Sipp::callee(uas, load);
    let bob = Phone::udp(server.address(), "bob");
    let transport = if load.uas == "t1" { ";transport=tcp" } else { "" };
    bob.register_as(
        &format!("Contact: <sip:bob@{}{transport}>\nExpires: 300", callee.local()),
        "secret",
        200,
    );
    let caller = Sipp::caller(uac, server.address(), "bob", load);
    caller.grade();
    callee.grade();
}

/// Runs a scenario that has no other end.
fn alone(uac: &str, load: Load) {
    let server = Server::start();
    Sipp::caller(uac, server.address(), "bob", load).grade();
}

#[test]
fn call_is_set_up_and_ended_by_the_caller() {
    pair("uac_call", "uas_call", Load::default());
}

#[test]
fn call_is_ended_by_the_callee() {
    pair("uac_callee_bye", "uas_callee_bye", Load::default());
}

#[test]
fn call_over_tcp_on_both_sides() {
    pair("uac_call", "uas_call", Load { uac: "t1", uas: "t1", ..Load::default() });
}

#[test]
fn call_from_tcp_to_udp() {
    pair("uac_call", "uas_call", Load { uac: "t1", ..Load::default() });
}

#[test]
fn call_from_udp_to_tcp() {
    pair("uac_call", "uas_call", Load { uas: "t1", ..Load::default() });
}

#[test]
fn call_to_the_callee_who_hangs_up_over_mixed_transports() {
    pair("uac_callee_bye", "uas_callee_bye", Load { uac: "t1", ..Load::default() });
}

#[test]
fn cancel_while_ringing_ends_in_487() {
    pair("uac_cancel", "uas_cancel", Load::default());
}

#[test]
fn busy_callee_is_passed_up() {
    pair("uac_busy", "uas_busy", Load::default());
}

#[test]
fn redirection_is_passed_up_with_its_contact() {
    pair("uac_redirect", "uas_redirect", Load::default());
}

#[test]
fn decline_is_passed_up() {
    pair("uac_decline", "uas_decline", Load::default());
}

#[test]
fn silent_callee_gives_408_after_timer_b() {
    let quick = Options { t1: Duration::from_millis(50), ..Options::default() };
    pair_on(Server::subject(&quick), "uac_timeout", "uas_silent", Load { calls: 5, ..Load::default() });
}

#[test]
fn ringing_without_answer_gives_408_after_timer_c() {
    pair("uac_timeout", "uas_ringing", Load { calls: 5, ..Load::default() });
}

#[test]
fn session_is_changed_inside_the_dialog() {
    pair("uac_reinvite", "uas_reinvite", Load::default());
}

#[test]
fn unregistered_callee_is_404() {
    alone("uac_notfound", Load::default());
}

#[test]
fn options_to_the_proxy_is_200() {
    alone("uac_options", Load::default());
}

#[test]
fn options_to_the_proxy_over_tcp_is_200() {
    alone("uac_options", Load { uac: "t1", ..Load::default() });
}

#[test]
fn request_without_hops_left_is_483() {
    let server = Server::start();
    let bob = Phone::udp(server.address(), "bob");
    bob.register();
    Sipp::caller("uac_hops", server.address(), "bob", Load::default()).grade();
    bob.peer.nothing("a request without hops left", Duration::from_millis(50), |m| m.status() == 0);
}

#[test]
fn register_with_digest_is_granted_and_removed() {
    alone("uac_register", Load { rate: 10, ..Load::default() });
}

#[test]
fn register_with_a_wrong_password_is_challenged_again() {
    alone("uac_register_wrong", Load::default());
}
