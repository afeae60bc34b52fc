"""What a phone sees of scripts/proxy_default.py."""

import pytest

from siphon_sdk import SipTestHarness

pytestmark = pytest.mark.siphon("proxy_default.py", config="siphon-proxy.yaml")


def test_a_ping_of_the_node_is_answered(harness: SipTestHarness) -> None:
    assert harness.send_request("OPTIONS", "sip:example.com").replied_with == (200, "OK")


def test_a_ping_of_a_phone_reaches_the_phone(harness: SipTestHarness) -> None:
    bob = harness.ua("bob")
    bob.register()
    result = harness.send_request("OPTIONS", "sip:bob@example.com", from_uri="sip:carol@example.org")
    assert result.targets == [bob.contact]
    assert result.status_code == 200


def test_registering_takes_the_password(harness: SipTestHarness) -> None:
    refused = harness.ua("alice", password="guessed").register()
    assert refused is not None and refused.status_code == 401
    accepted = harness.ua("bob").register()
    assert accepted is not None and accepted.status_code == 200 and "Contact" in accepted


def test_two_phones_talk_and_hang_up(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    alice.register()
    bob.register()
    call = alice.invite("bob")
    bob.ring()
    assert call.state == "proceeding"
    bob.answer()
    assert call.state == "confirmed"
    bob.calls[0].bye()
    assert call.state == "ended"


def test_a_call_may_be_given_up_while_it_rings(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    bob.register()
    call = alice.invite("bob")
    bob.ring()
    call.cancel()
    assert call.status_code == 487
    assert [m.method for m in bob.received if m.is_request][-2:] == ["CANCEL", "ACK"]


def test_who_is_not_there_is_480(harness: SipTestHarness) -> None:
    assert harness.ua("alice").invite("bob").status_code == 480


def test_a_stranger_may_call_us_but_not_through_us(harness: SipTestHarness) -> None:
    harness.ua("bob").register()
    inward = harness.send_request("INVITE", "sip:bob@example.com", from_uri="sip:carol@example.org")
    assert inward.was_forked and inward.record_routed
    outward = harness.send_request("INVITE", "sip:dave@example.net", from_uri="sip:carol@example.org")
    assert outward.replied_with == (403, "Local Calls Only")


def test_nobody_calls_under_the_name_of_another(harness: SipTestHarness) -> None:
    forged = harness.send_request(
        "INVITE", "sip:bob@example.com", from_uri="sip:alice@example.com", auth=("bob", "builder")
    )
    assert forged.replied_with == (403, "Not Your Name")


def test_a_request_of_a_dialog_that_is_not_ours_is_404(harness: SipTestHarness) -> None:
    assert harness.send_request("BYE", "sip:bob@example.com", to_tag="unknown").replied_with == (404, "Not Here")
