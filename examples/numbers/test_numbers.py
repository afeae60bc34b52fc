"""What Prometheus would read."""

import pytest

from siphon_sdk import RequestResult, SipTestHarness

pytestmark = pytest.mark.siphon("route.py", config="siphon-proxy.yaml")


def ring(harness: SipTestHarness) -> RequestResult:
    harness.registrar.add("sip:bob@example.com", "sip:bob@192.0.2.11:5060")
    return harness.send_request("INVITE", "sip:bob@example.com")


def counted(harness: SipTestHarness) -> dict[str, float]:
    samples = harness.metrics.samples("calls_total")
    return {dict(labels)["outcome"]: value for labels, value in samples.items()}


def test_an_answered_call_is_counted_with_the_time_it_rang(harness: SipTestHarness) -> None:
    call = ring(harness)
    assert harness.metrics["calls_ringing"] == 1
    harness.send_reply(call, 180)
    harness.advance(7)
    harness.send_reply(call, 200)
    assert counted(harness) == {"answered": 1}
    assert harness.metrics["calls_ringing"] == 0
    assert harness.metrics["calls_answer_seconds_count"] == 1
    assert 7 <= harness.metrics["calls_answer_seconds_sum"] < 7.1
    assert harness.metrics.value("calls_answer_seconds_bucket", le="5") == 0


def test_refused_timed_out_and_given_up_calls_are_told_apart(harness: SipTestHarness) -> None:
    harness.send_reply(ring(harness), 486)
    ring(harness)
    harness.advance(33)
    given_up = ring(harness)
    harness.send_reply(given_up, 180)
    harness.send_cancel(given_up)
    harness.send_reply(given_up, 487)
    assert counted(harness) == {"refused": 1, "timeout": 1, "cancelled": 1}
    assert harness.metrics["calls_ringing"] == 0


def test_a_call_to_nobody_never_rings(harness: SipTestHarness) -> None:
    harness.send_request("INVITE", "sip:nobody@example.com")
    assert counted(harness) == {"nobody": 1} and harness.metrics["calls_ringing"] == 0


def test_every_minute_a_line_says_how_many_ring(harness: SipTestHarness) -> None:
    harness.advance(45)
    ring(harness)
    harness.advance(16)
    assert "calls that ring now=1" in harness.log
