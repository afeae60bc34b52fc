"""What a scanner, a flood and an honest phone see."""

import pytest

from siphon_sdk import RequestResult, SipTestHarness

pytestmark = pytest.mark.siphon("route.py", config="siphon-proxy.yaml")

HERE, THERE, TRUSTED = "203.0.113.7", "203.0.113.8", "192.0.2.7"


def ping(harness: SipTestHarness, source: str, user_agent: str = "Phone/1.0") -> RequestResult:
    return harness.send_request("OPTIONS", "sip:example.com", source_ip=source, user_agent=user_agent)


def test_a_scanner_gets_no_answer_and_its_address_none_for_an_hour(harness: SipTestHarness) -> None:
    assert ping(harness, HERE).status_code == 200
    assert ping(harness, HERE, "friendly-scanner").was_dropped
    assert ping(harness, HERE).was_dropped
    assert ping(harness, THERE).status_code == 200
    harness.advance(3599)
    assert ping(harness, HERE).was_dropped
    harness.advance(2)
    assert ping(harness, HERE).status_code == 200
    assert harness.metrics.value("edge_refused_total", why="scanner") == 1
    assert harness.metrics.value("edge_refused_total", why="banned") == 2


def test_the_31st_request_within_ten_seconds_is_refused_and_later_ones_are_not(harness: SipTestHarness) -> None:
    for _ in range(30):
        assert ping(harness, HERE).status_code == 200
    assert ping(harness, HERE).status_code == 503
    assert ping(harness, THERE).status_code == 200
    harness.advance(11)
    assert ping(harness, HERE).status_code == 200


def test_who_is_trusted_is_not_counted(harness: SipTestHarness) -> None:
    for _ in range(40):
        assert ping(harness, TRUSTED).status_code == 200


def test_phones_register_and_are_called(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    bob.register()
    bob.auto_answer()
    call = alice.invite("bob")
    harness.advance(1)
    assert call.state == "confirmed"
    assert call.bye().state == "ended"
