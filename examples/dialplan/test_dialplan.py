"""The dial plan from outside; `numbering` could as well be tested without the kit."""

import pytest

from siphon_sdk import RequestResult, SipTestHarness

pytestmark = pytest.mark.siphon("route.py", config="siphon-proxy.yaml")


def dial(harness: SipTestHarness, user: str) -> RequestResult:
    return harness.send_request("INVITE", f"sip:{user}@example.com", auth=("alice", "wonderland"))


@pytest.mark.parametrize(
    ("dialled", "sent"),
    [
        ("+4930123456", "+4930123456"),
        ("0044-20-7946-0000", "+442079460000"),
        ("030123456", "+4930123456"),
        ("123456", "+4930123456"),
    ],
)
def test_numbers_reach_the_carrier_in_one_form(harness: SipTestHarness, dialled: str, sent: str) -> None:
    result = dial(harness, dialled)
    assert result.targets == [f"sip:{sent}@example.com"] and result.next_hop == "sip:192.0.2.20:5060"


def test_an_emergency_call_is_asked_for_no_password(harness: SipTestHarness) -> None:
    result = harness.send_request("INVITE", "sip:112@example.com", from_uri="sip:stranger@example.org")
    assert result.next_hop == "sip:192.0.2.112:5060"


def test_users_are_called_by_name(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    bob.register()
    call = alice.invite("bob")
    bob.answer()
    assert call.state == "confirmed"


def test_who_is_somebody_else_may_not_call(harness: SipTestHarness) -> None:
    forged = harness.send_request("INVITE", "sip:bob@example.com", auth=("bob", "builder"))
    assert forged.replied_with == (403, "Not Your Name")


def test_what_means_nothing_is_404(harness: SipTestHarness) -> None:
    assert dial(harness, "12").replied_with == (404, "No Such Number")
