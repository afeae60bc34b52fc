"""What a phone is told when it comes back."""

import pytest

from siphon_sdk import Message, SipTestHarness, UserAgent

pytestmark = pytest.mark.siphon("route.py", config="siphon-proxy.yaml")


def messages(phone: UserAgent) -> list[Message]:
    return [m for m in phone.received if m.is_request and m.method == "MESSAGE"]


def ring(harness: SipTestHarness, caller: str) -> int | None:
    return harness.send_request("INVITE", "sip:bob@example.com", from_uri=caller).status_code


def test_missed_calls_are_told_once_when_a_phone_registers(harness: SipTestHarness) -> None:
    bob = harness.ua("bob")
    assert ring(harness, "sip:alice@example.com") == 480
    assert ring(harness, "sip:carol@example.org") == 480
    bob.register()
    (told,) = messages(bob)
    assert told.text.splitlines() == ["sip:alice@example.com", "sip:carol@example.org"]
    assert told["To"] == "<sip:bob@example.com>" and told["Content-Type"] == "text/plain"
    bob.unregister()
    bob.register()
    assert len(messages(bob)) == 1


def test_what_the_phone_refuses_is_told_the_next_time(harness: SipTestHarness) -> None:
    bob = harness.ua("bob")
    bob.by_hand(status=500)
    ring(harness, "sip:alice@example.com")
    bob.register()
    assert "could not tell of missed calls" in harness.log
    bob.unregister()
    bob.by_hand()
    bob.register()
    assert [m.text for m in messages(bob)] == ["sip:alice@example.com"] * 2


def test_who_missed_nothing_is_told_nothing(harness: SipTestHarness) -> None:
    bob = harness.ua("bob")
    bob.register()
    assert messages(bob) == []
