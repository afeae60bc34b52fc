"""Time, loss and DNS under the control of the test."""

from collections.abc import Callable

import pytest

from siphon_sdk import SipTestHarness

pytestmark = pytest.mark.siphon("route.py", config="siphon-proxy.yaml")


def test_the_node_is_alive(harness: SipTestHarness) -> None:
    assert harness.send_request("OPTIONS", "sip:example.com").replied_with == (200, "OK")


def test_two_phones_talk(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob", transport="tcp")
    alice.register()
    bob.register()
    call = alice.invite("bob")
    bob.ring()
    bob.answer()
    assert call.state == "confirmed"
    bob.calls[0].bye()
    assert call.state == "ended"


def test_a_phone_that_rings_too_long_is_given_up(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    bob.register()
    call = alice.invite("bob")
    bob.ring()
    harness.advance(31)
    assert call.status_code == 408
    assert "CANCEL" in [m.method for m in bob.received]


def test_a_binding_lapses_after_its_hour(harness: SipTestHarness) -> None:
    harness.ua("bob").register(expires=3600)
    harness.advance(3601)
    assert harness.ua("alice").invite("bob").status_code == 480


@pytest.mark.parametrize("seed", range(5))
def test_calls_survive_a_bad_network(siphon: Callable[..., SipTestHarness], seed: int) -> None:
    harness = siphon("route.py", config="siphon-proxy.yaml", seed=seed)
    harness.conditions(loss=0.2, duplicates=0.1, delay=(0.02, 0.2))
    alice, bob = harness.ua("alice"), harness.ua("bob")
    bob.register()
    harness.advance(5)
    bob.auto_answer(after=1)
    call = alice.invite("bob")
    harness.advance(30)
    assert call.state == "confirmed"


def test_the_second_gateway_is_asked_when_the_first_refuses(harness: SipTestHarness) -> None:
    harness.dns.srv("_sip._udp.carrier.example.net", "one.example.net", 5070, priority=1)
    harness.dns.srv("_sip._udp.carrier.example.net", "two.example.net", 5080, priority=2)
    result = harness.send_request("INVITE", "sip:+15550100@example.com")
    assert result.next_hop == "sip:one.example.net:5070"
    harness.send_reply(result, 503)
    assert [harness.hop(m) for m in result.relayed] == ["sip:one.example.net:5070", "sip:two.example.net:5080"]
    harness.send_reply(result, 200)
    assert result.status_code == 200


def test_a_carrier_that_does_not_exist_is_500_and_logged(harness: SipTestHarness) -> None:
    harness.dns.fail("carrier.example.net")
    harness.dns.strict()
    result = harness.send_request("INVITE", "sip:+15550100@example.com")
    assert result.replied_with == (500, "No Carrier")
    assert "the carrier failed" in harness.log
