"""The web service answers, is slow, is down: each time the caller gets through or hears why not."""

from collections.abc import Callable

import pytest

from siphon_sdk import RequestResult, SipTestHarness

pytestmark = pytest.mark.siphon("route.py", config="siphon-proxy.yaml")

SERVICE = "https://crm.example.com/callers"
PHONE = "sip:bob@192.0.2.11:5060"


@pytest.fixture
def ring(harness: SipTestHarness) -> Callable[[], RequestResult]:
    harness.registrar.add("sip:bob@example.com", PHONE)
    return lambda: harness.send_request("INVITE", "sip:bob@example.com", from_uri="sip:+15550100@example.org")


def test_the_callee_sees_the_name_that_the_service_knows(
    harness: SipTestHarness, ring: Callable[[], RequestResult]
) -> None:
    harness.http.add("GET", SERVICE, json={"name": "Bob's Bakery", "blocked": False}, delay=0.1)
    result = ring()
    assert result.relayed[0]["X-Caller-Name"] == "Bob's Bakery"
    assert harness.http.requests[0].url == f"{SERVICE}?number=%2B15550100"
    # It waited for the service, in virtual time.
    assert result.relayed[0].at >= 0.1


def test_a_blocked_caller_is_declined(harness: SipTestHarness, ring: Callable[[], RequestResult]) -> None:
    harness.http.add("GET", SERVICE, json={"blocked": True})
    assert ring().replied_with == (603, "Decline")


def test_an_unknown_caller_gets_through_without_a_name(
    harness: SipTestHarness, ring: Callable[[], RequestResult]
) -> None:
    harness.http.add("GET", SERVICE, status=404)
    result = ring()
    assert result.targets == [PHONE] and "X-Caller-Name" not in result.relayed[0]
    assert not harness.log.at_level("warning")


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ({"status": 500}, "the directory is in trouble status=500"),
        ({"delay": 5.0, "json": {}}, "error=ReadTimeout"),
        ({"error": ConnectionResetError("reset")}, "error=ReadError"),
        ({"text": "<html>"}, "error=JSONDecodeError"),
    ],
)
def test_a_service_in_trouble_loses_no_call(
    harness: SipTestHarness, ring: Callable[[], RequestResult], trouble: dict[str, object], told: str
) -> None:
    harness.http.add("GET", SERVICE, **trouble)  # type: ignore[arg-type]
    result = ring()
    assert result.targets == [PHONE]
    assert result.relayed[0].at < 0.6
    assert told in harness.log
