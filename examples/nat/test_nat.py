"""Phones whose Contact nobody can reach are reached."""

import pytest

from siphon_sdk import SipTestHarness

pytestmark = pytest.mark.siphon("route.py", config="siphon-proxy.yaml")

ROUTER = "203.0.113.7"


def register(harness: SipTestHarness, transport: str = "udp") -> None:
    result = harness.send_request(
        "REGISTER", "sip:example.com", from_uri="sip:bob@example.com", auth=("bob", "builder"),
        contact="sip:bob@192.168.1.5:5060" + (";transport=tcp" if transport == "tcp" else ""),
        source_ip=ROUTER, source_port=40000, transport="tcp" if transport == "tcp" else "udp",
    )
    assert result.status_code == 200


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_goes_to_the_router_where_the_register_came_from(harness: SipTestHarness, transport: str) -> None:
    register(harness, transport)
    result = harness.send_request("INVITE", "sip:bob@example.com")
    invite = result.relayed[0]
    assert (invite.transport, invite.destination) == (transport, f"{ROUTER}:40000")
    assert invite.uri is not None and "@192.168.1.5:5060" in invite.uri


def test_the_carrier_gets_a_contact_that_it_can_reach(harness: SipTestHarness) -> None:
    result = harness.send_request(
        "INVITE", "sip:+15550100@example.com", auth=("alice", "wonderland"),
        contact="sip:alice@192.168.1.6:5060", source_ip=ROUTER, source_port=40001,
    )
    contact = result.relayed[0].contact
    assert contact is not None and contact.startswith(f"sip:alice@{ROUTER}:40001")


def test_requests_inside_the_call_find_the_phone_behind_the_router(harness: SipTestHarness) -> None:
    register(harness)
    call = harness.send_request("INVITE", "sip:bob@example.com")
    harness.send_reply(call, 200, headers={"Contact": "<sip:bob@192.168.1.5:5060>"})
    assert call.final is not None
    bye = harness.send_request(
        "BYE", "sip:bob@192.168.1.5:5060", call_id=call.request.call_id, from_tag=call.request.from_tag, to_tag="callee",
        headers={"Route": list(reversed(call.final.values("Record-Route")))},
    )
    assert bye.relayed[0].destination == f"{ROUTER}:40000"


def test_a_phone_that_is_reachable_keeps_its_contact(harness: SipTestHarness) -> None:
    harness.registrar.add("sip:bob@example.com", "sip:bob@192.0.2.11:5060")
    result = harness.send_request(
        "INVITE", "sip:bob@example.com", contact="sip:alice@192.0.2.9:5060", source_ip="192.0.2.9", source_port=5060
    )
    assert result.relayed[0].contact == "sip:alice@192.0.2.9:5060"
