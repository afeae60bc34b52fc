"""Two phones register with digest, call each other and hang up."""

import pytest

from siphon_sdk import SipTestHarness

pytestmark = pytest.mark.siphon("route.py", config="siphon-proxy.yaml")


def test_a_call_from_the_first_ring_to_bye(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    alice.register()
    bob.register()
    call = alice.invite("bob")
    bob.ring()
    bob.answer()
    assert call.state == "confirmed"
    call.bye()
    assert [m.method for m in bob.received if m.is_request] == ["INVITE", "ACK", "BYE"]
    assert "a call caller=alice called=bob phones=1" in harness.log


def test_all_phones_of_a_user_ring_and_the_first_to_answer_has_the_call(harness: SipTestHarness) -> None:
    desk, kitchen = harness.ua("desk", login="bob"), harness.ua("kitchen", login="bob", transport="tcp")
    desk.register()
    kitchen.register()
    call = harness.ua("alice").invite("bob")
    desk.ring()
    kitchen.answer()
    assert call.state == "confirmed"
    assert "CANCEL" in [m.method for m in desk.received if m.is_request]


def test_registering_needs_the_password(harness: SipTestHarness) -> None:
    challenged = harness.send_request("REGISTER", "sip:siphon.local", from_uri="sip:bob@siphon.local")
    assert challenged.status_code == 401
    assert harness.registrar.lookup("sip:bob@siphon.local") == []


def test_calls_to_elsewhere_are_refused(harness: SipTestHarness) -> None:
    result = harness.send_request(
        "INVITE", "sip:carol@example.net", from_uri="sip:alice@siphon.local", auth=("alice", "wonderland")
    )
    assert result.replied_with == (403, "Local Calls Only")
    assert not result.was_relayed


def test_nobody_picks_up(harness: SipTestHarness) -> None:
    bob = harness.ua("bob")
    bob.register()
    call = harness.ua("alice").invite("bob")
    bob.ring()
    harness.advance(200)
    assert call.status_code == 408


def test_a_bad_network_is_survived(harness: SipTestHarness) -> None:
    harness.conditions(loss=0.2, delay=(0.001, 0.1))
    bob = harness.ua("bob")
    bob.auto_answer(after=1)
    bob.register()
    harness.advance(10)
    call = harness.ua("alice").invite("bob")
    harness.advance(10)
    assert call.state == "confirmed"
