"""The order in which phones ring, and what the mailbox is told."""

import pytest

from siphon_sdk import RequestResult, SipTestHarness

pytestmark = pytest.mark.siphon("route.py", config="siphon-proxy.yaml")

DESK, SOFTPHONE, MOBILE = "sip:bob@192.0.2.11:5060", "sip:bob@192.0.2.12:5060", "sip:bob@192.0.2.13:5060"
ALICE = "sip:alice@192.0.2.10:5060"


def call(harness: SipTestHarness, user: str) -> RequestResult:
    return harness.send_request("INVITE", f"sip:{user}@example.com", from_uri="sip:carol@example.org")


def test_phones_of_equal_q_ring_together_and_the_next_group_after_them(harness: SipTestHarness) -> None:
    for phone, q in ((DESK, 1.0), (SOFTPHONE, 1.0), (MOBILE, 0.5)):
        harness.registrar.add("sip:bob@example.com", phone, q=q)
    result = call(harness, "bob")
    assert sorted(result.targets) == [DESK, SOFTPHONE]
    harness.send_reply(result, 486, target=DESK)
    harness.send_reply(result, 486, target=SOFTPHONE)
    assert result.targets[-1] == MOBILE
    harness.send_reply(result, 200, target=MOBILE)
    assert result.replied_with == (200, "OK")


def test_a_busy_user_is_sent_to_the_mailbox_with_the_reason(harness: SipTestHarness) -> None:
    harness.registrar.add("sip:bob@example.com", DESK)
    result = call(harness, "bob")
    harness.send_reply(result, 486)
    to_mailbox = result.relayed[-1]
    assert (to_mailbox.destination, to_mailbox.uri) == ("192.0.2.30:5060", "sip:mailbox@example.com")
    assert to_mailbox["Diversion"] == "<sip:bob@example.com>;reason=user-busy"
    harness.send_reply(result, 200)
    assert result.status_code == 200


def test_a_phone_that_nobody_picks_up_is_cancelled_after_20_seconds(harness: SipTestHarness) -> None:
    harness.registrar.add("sip:bob@example.com", DESK)
    result = call(harness, "bob")
    harness.send_reply(result, 180)
    harness.advance(19)
    assert len(result.relayed) == 1
    harness.advance(2)
    assert "CANCEL" in [m.method for m in result.sent if m.is_request]
    harness.send_reply(result, 487, target=DESK)
    assert result.relayed[-1]["Diversion"].endswith("reason=no-answer")


def test_who_has_no_phone_is_sent_to_the_mailbox_at_once(harness: SipTestHarness) -> None:
    result = call(harness, "bob")
    assert result.next_hop == "sip:192.0.2.30:5060"
    assert result.relayed[0]["Diversion"].endswith("reason=unavailable")


def test_a_caller_who_is_declined_hears_it(harness: SipTestHarness) -> None:
    harness.registrar.add("sip:bob@example.com", DESK)
    result = call(harness, "bob")
    harness.send_reply(result, 603)
    assert result.replied_with == (603, "Decline")


def test_support_rings_one_after_the_other(harness: SipTestHarness) -> None:
    harness.registrar.add("sip:alice@example.com", ALICE)
    harness.registrar.add("sip:bob@example.com", DESK)
    result = call(harness, "support")
    assert result.targets == [ALICE]
    harness.send_reply(result, 486)
    assert result.targets == [ALICE, DESK]
    harness.send_reply(result, 200)
    assert result.status_code == 200
