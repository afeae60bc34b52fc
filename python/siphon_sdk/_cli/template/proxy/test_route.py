"""Tests of route.py: the real engine on a pretend network, no port, no waiting. Run `pytest` here.

`harness` is a fixture of siphon-sdk: script and configuration of pyproject.toml.
"""

from siphon_sdk import SipTestHarness


def test_options_to_the_domain_is_answered(harness: SipTestHarness) -> None:
    assert harness.send_request("OPTIONS", "sip:example.com").replied_with == (200, "OK")


def test_nobody_registers_without_the_password(harness: SipTestHarness) -> None:
    assert harness.send_request("REGISTER", "sip:example.com", from_uri="sip:bob@example.com").status_code == 401
    refused = harness.ua("bob", password="guess").register()
    assert refused is not None and refused.status_code == 401


def test_alice_calls_bob(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    alice.register()
    bob.register()
    call = alice.invite("bob")
    bob.answer()
    assert call.state == "confirmed"
    call.bye()
    assert bob.calls[0].state == "ended"


def test_who_is_not_registered_cannot_be_called(harness: SipTestHarness) -> None:
    call = harness.ua("alice").invite("bob")
    assert call.status_code == 480


def test_this_is_no_open_relay(harness: SipTestHarness) -> None:
    result = harness.send_request("INVITE", "sip:anybody@example.net", from_uri="sip:stranger@example.org")
    assert result.status_code == 407
    assert not result.was_relayed
