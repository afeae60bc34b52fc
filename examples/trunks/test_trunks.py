"""What the carriers see."""

import pytest

from siphon_sdk import RequestResult, SipTestHarness

pytestmark = pytest.mark.siphon("route.py", config="siphon-proxy.yaml")


def dial(harness: SipTestHarness, number: str, **headers: str) -> RequestResult:
    return harness.send_request(
        "INVITE", f"sip:{number}@example.com", auth=("alice", "wonderland"),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


@pytest.mark.parametrize(
    ("number", "trunk"),
    [("+442079460000", "192.0.2.10"), ("+15550100", "192.0.2.20"), ("015550100", "192.0.2.30")],
)
def test_the_longest_prefix_chooses_the_trunk(harness: SipTestHarness, number: str, trunk: str) -> None:
    assert dial(harness, number).next_hop == f"sip:{trunk}:5060"


def test_the_carrier_gets_who_proved_to_call_and_nothing_internal(harness: SipTestHarness) -> None:
    forged = dial(harness, "+15550100", X_Cost_Centre="7", P_Asserted_Identity="<sip:ceo@example.com>")
    sent = forged.relayed[0]
    assert sent.headers("P-Asserted-Identity") == ["<sip:alice@example.com>"]
    assert "X-Cost-Centre" not in sent
    assert "Proxy-Authorization" not in sent


def test_a_carrier_gets_numbers_and_privacy_as_it_wants_them(harness: SipTestHarness) -> None:
    sent = dial(harness, "015550100").relayed[0]
    assert sent.uri == "sip:15550100@example.com"
    assert sent["Privacy"] == "id"
    assert "Privacy" not in dial(harness, "+15550100").relayed[0]


def test_the_second_trunk_is_tried_when_the_first_is_in_trouble(harness: SipTestHarness) -> None:
    result = dial(harness, "+15550100")
    harness.send_reply(result, 503)
    assert [m.destination for m in result.relayed] == ["192.0.2.20:5060", "192.0.2.21:5060"]
    harness.send_reply(result, 200)
    assert result.status_code == 200


def test_the_second_trunk_is_tried_when_the_first_is_silent(harness: SipTestHarness) -> None:
    result = dial(harness, "+15550100")
    harness.advance(11)
    assert result.relayed[-1].destination == "192.0.2.21:5060"


def test_a_busy_callee_is_busy_on_every_trunk(harness: SipTestHarness) -> None:
    result = dial(harness, "+15550100")
    harness.send_reply(result, 486)
    assert result.replied_with == (486, "Busy Here") and len(result.relayed) == 1


def test_nobody_dials_without_an_account_and_no_number_leads_nowhere(harness: SipTestHarness) -> None:
    assert harness.send_request("INVITE", "sip:+15550100@example.com").status_code == 407
    assert dial(harness, "bob").replied_with == (404, "No Such Number")
