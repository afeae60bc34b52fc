"""What phones see of scripts/b2bua_default.py."""

import pytest

from siphon_sdk import SipTestHarness

pytestmark = pytest.mark.siphon("b2bua_default.py", config="siphon-sbc.yaml")


def test_two_phones_talk_and_hang_up_and_never_see_each_other(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    alice.register()
    bob.register()
    call = alice.invite("bob")
    bob.ring()
    assert call.state == "proceeding"
    bob.answer()
    assert call.state == "confirmed"
    invite = next(m for m in bob.received if m.is_request and m.method == "INVITE")
    assert invite.call_id != call.id
    assert alice.contact not in invite.raw.decode()
    bob.calls[0].bye()
    assert call.state == "ended"
    assert "a call has ended" in [line.text for line in harness.log]


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


def test_who_is_busy_is_busy_for_the_caller(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    bob.register()
    call = alice.invite("bob")
    bob.reject(486)
    assert call.status_code == 486


def test_nobody_calls_under_the_name_of_another(harness: SipTestHarness) -> None:
    forged = harness.send_request(
        "INVITE", "sip:bob@example.com", from_uri="sip:alice@example.com", auth=("bob", "builder")
    )
    assert forged.replied_with == (403, "Not Your Name")


def test_strangers_call_us_and_not_through_us(harness: SipTestHarness) -> None:
    outward = harness.send_request("INVITE", "sip:dave@example.net", from_uri="sip:carol@example.org")
    assert outward.replied_with == (403, "Local Calls Only")


def test_what_is_no_call_is_answered_here(harness: SipTestHarness) -> None:
    assert harness.send_request("OPTIONS", "sip:example.com").replied_with == (200, "OK")
    assert harness.send_request("MESSAGE", "sip:bob@example.com").status_code == 405


def test_a_carrier_is_asked_for_the_number_and_told_who_calls(harness: SipTestHarness) -> None:
    result = harness.send_invite(
        "sip:+31201234567@example.com",
        auth=("alice", "wonderland"),
        headers={"X-Secret": "yes", "P-Asserted-Identity": "<sip:alice@example.com>"},
    )
    assert result.targets == ["sip:+31201234567@carrier.example.net"]
    assert "P-Asserted-Identity" in result.legs[0] and "X-Secret" not in result.legs[0]


def test_a_call_that_is_refused_dials_nobody(harness: SipTestHarness) -> None:
    result = harness.send_invite(auth=("alice", "wonderland"))
    assert result.was_rejected and not result.was_dialled
    assert result.status_code == 480
