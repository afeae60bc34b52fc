"""`send_request`, `send_reply`, `send_cancel`: what the seed's and the reference surface's tests are made of."""

from pathlib import Path

import pytest

from siphon_sdk import SipTestHarness
from siphon_sdk.testing import Message

SEED = Path(__file__).parents[2] / "tests/seed/scripts/proxy_default.py"
TORTURE = Path(__file__).parents[2] / "tests/data/torture"

harness = SipTestHarness(SEED)


def relaying(to: str, more: str = "") -> SipTestHarness:
    kit = SipTestHarness()
    kit.load_source(f"from siphon import proxy\n@proxy.on_request\ndef route(request):\n    {more}request.relay({to!r})\n")
    return kit


def test_options_keepalive() -> None:
    result = harness.send_request("OPTIONS", "sip:example.com", is_local=True)
    assert result.replied_with == (200, "OK")
    assert (result.status_code, result.reason, result.action) == (200, "OK", "reply 200")
    assert result.script_line == "proxy_default.py:9"
    assert not result.was_relayed and not result.was_dropped


def test_register_requires_auth() -> None:
    result = harness.send_request("REGISTER", "sip:example.com", is_local=True)
    assert result.replied_with is not None and result.replied_with[0] == 401
    assert result.final is not None and "realm=\"example.com\"" in result.final["WWW-Authenticate"]


def test_a_domain_is_local_for_the_one_request_that_says_so() -> None:
    for _ in range(2):
        assert harness.send_request("OPTIONS", "sip:shop.example", is_local=True).status_code == 200
        # The seed's script looks up what is not OPTIONS of its own domain.
        assert harness.send_request("OPTIONS", "sip:shop.example").status_code == 404


def test_credentials_answer_one_challenge_and_registered_contacts_are_forked_to() -> None:
    kit = SipTestHarness(SEED, users={"bob": "secret"}, domains=["example.com"])
    for port in (6001, 6002):
        registered = kit.send_request(
            "REGISTER", "sip:example.com", from_uri="sip:bob@example.com", source_port=port, auth=("bob", "secret")
        )
        assert registered.replied_with == (200, "OK")
        assert registered.request.cseq[1] == "REGISTER" and "Authorization" in registered.request
    assert {b.uri for b in kit.bindings("sip:bob@example.com")} == {
        "sip:bob@127.0.0.1:6001",
        "sip:bob@127.0.0.1:6002",
    }
    result = kit.send_request("INVITE", "sip:bob@example.com")
    assert result.was_forked and result.was_relayed and result.record_routed
    assert sorted(result.targets) == ["sip:bob@127.0.0.1:6001", "sip:bob@127.0.0.1:6002"]
    wrong = kit.send_request(
        "REGISTER", "sip:example.com", from_uri="sip:bob@example.com", auth=("bob", "guessed")
    )
    assert wrong.status_code == 401


def test_a_relayed_request_shows_where_it_went_and_its_replies_come_back() -> None:
    kit = relaying("sip:trunk.example.net:5090")
    result = kit.send_request("INVITE", "sip:+15551234@example.net", body="v=0\r\n", headers={"X-Tag": ["1", "2"]})
    assert (result.was_relayed, result.was_forked, result.was_dropped) == (True, False, False)
    assert result.targets == ["sip:+15551234@example.net"]
    assert result.next_hop == "sip:trunk.example.net:5090"
    relayed = result.relayed[0]
    assert relayed.headers("X-Tag") == ["1", "2"] and relayed.text == "v=0\r\n"
    assert relayed["Max-Forwards"] == "69" and len(relayed.values("Via")) == 2
    ringing = kit.send_reply(result, 180, "Ringing")
    assert ringing.was_relayed and ringing.forwarded is not None and ringing.forwarded.reason == "Ringing"
    assert result.replied_with is None
    kit.send_reply(result, 486, "Busy Here")
    assert result.replied_with == (486, "Busy Here")
    # The next hop gets its ACK from the node, the node gets one from the client.
    acks = [m for m in kit.messages if m.method == "ACK"]
    assert [m.sender for m in acks] == ["siphon-proxy", "client"]


def test_nothing_listens_there_and_the_transaction_times_out() -> None:
    kit = relaying("sip:192.0.2.7:5060")
    result = kit.send_request("INVITE", "sip:bob@example.com")
    assert result.final is None
    kit.advance(33)
    assert result.replied_with == (408, "Request Timeout")
    copies = [m for m in result.sent if m.is_request and m.method == "INVITE"]
    assert [round(m.at - copies[0].at, 1) for m in copies] == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]


def test_a_cancelled_invite_is_answered_487_and_cancelled_onward() -> None:
    kit = relaying("sip:192.0.2.7:5060")
    invite = kit.send_request("INVITE", "sip:bob@example.com")
    kit.send_reply(invite, 180)
    cancel = kit.send_cancel(invite)
    assert cancel.replied_with == (200, "OK")
    onward = [m for m in kit.sent if m.method == "CANCEL" and m.is_request]
    assert len(onward) == 1 and onward[0].branch == invite.relayed[0].branch
    kit.send_reply(invite, 487)
    assert invite.status_code == 487


def test_over_tcp_the_request_and_its_answer_use_one_connection() -> None:
    kit = SipTestHarness(SEED)
    result = kit.send_request("OPTIONS", "sip:localhost", transport="tcp")
    assert result.replied_with == (200, "OK") and result.final is not None
    assert (result.final.transport, result.final.destination) == ("tcp", "127.0.0.1:5080")


def test_a_dropped_request_is_neither_answered_nor_relayed() -> None:
    kit = SipTestHarness()
    kit.load_source("from siphon import proxy\n@proxy.on_request\ndef route(request):\n    request.drop()\n")
    result = kit.send_request("OPTIONS", "sip:localhost")
    assert result.was_dropped and result.action == "drop" and result.replied_with is None


def test_a_handler_that_raises_is_500_with_its_traceback_in_the_log() -> None:
    kit = SipTestHarness()
    kit.load_source("from siphon import proxy\n@proxy.on_request\ndef route(request):\n    1 / 0\n", name="bad.py")
    result = kit.send_request("OPTIONS", "sip:localhost", call_id="the-call")
    assert result.status_code == 500 and result.action == "failed"
    (line,) = [line for line in kit.log.errors if "Traceback" in line.text]
    assert "ZeroDivisionError" in line.text and line.call_id == "the-call"
    assert "bad.py" in line.text and result.log


def test_what_is_sent_can_be_malformed_on_purpose() -> None:
    kit = SipTestHarness(SEED)
    assert kit.send_request("OPTIONS", "sip:localhost", max_forwards=0).status_code in (200, 483)
    assert kit.send_request("OPTIONS", "sip:localhost", headers={"CSeq": "1 INVITE"}).status_code == 400
    (answer,) = kit.raw(
        """
        OPTIONS sip:localhost SIP/2.0
        Via: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK1
        From: <sip:a@example.com>;tag=1
        To: <sip:localhost>
        Call-ID: by-hand
        CSeq: 1 OPTIONS
        Max-Forwards: 70
        Content-Length: 0

        """.replace("        ", "")
    )
    assert isinstance(answer, Message) and answer.status_code == 200 and answer.call_id == "by-hand"


def test_where_there_is_no_branch_to_answer_the_error_says_so() -> None:
    kit = SipTestHarness(SEED)
    with pytest.raises(LookupError, match="no request was sent yet"):
        kit.send_reply()
    kit.send_request("OPTIONS", "sip:localhost")
    with pytest.raises(LookupError, match="relayed to nowhere"):
        kit.send_reply()


def test_contacts_are_put_there_without_a_register() -> None:
    kit = SipTestHarness(SEED)
    kit.registrar.add("sip:bob@example.com", "sip:bob@192.0.2.10:5060")
    kit.registrar.add("sip:bob@example.com", "sip:bob@192.0.2.11:5062", q=0.5, expires=60)
    result = kit.send_request("INVITE", "sip:bob@example.com")
    assert result.was_forked and result.actions == ["fork 2"]
    # Both rang at once; each branch answers for itself.
    kit.send_reply(result, 486, target="sip:bob@192.0.2.10:5060")
    assert result.final is None
    kit.send_reply(result, 200, target="sip:bob@192.0.2.11:5062")
    assert result.replied_with == (200, "OK")
    kit.advance(61)
    assert [b.uri for b in kit.registrar.lookup("sip:bob@example.com")] == ["sip:bob@192.0.2.10:5060"]
    assert kit.registrar.remove("sip:bob@example.com") == 1 and kit.registrar.aor_count() == 0
    with pytest.raises(ValueError, match="URI"):
        kit.registrar.add("sip:bob@example.com", "nonsense")


def test_one_contact_is_a_fork_and_a_next_hop_is_a_relay() -> None:
    kit = SipTestHarness(SEED)
    kit.registrar.add("sip:bob@example.com", "sip:bob@192.0.2.10:5060")
    assert kit.send_request("INVITE", "sip:bob@example.com").actions == ["fork 1"]
    assert relaying("sip:192.0.2.7").send_request("INVITE", "sip:bob@example.com").actions == ["relay"]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_the_torture_messages_upset_nothing(transport: str) -> None:
    kit = SipTestHarness(SEED)
    for path in sorted(TORTURE.glob("*/*.dat")):
        kit.raw(path.read_bytes(), transport=transport)  # type: ignore[arg-type]
        assert kit.send_request("OPTIONS", "sip:localhost", source_port=5081).status_code == 200, path.name
    assert not [line for line in kit.log.errors if "Traceback" in line.text]
    assert kit.ladder() and [m.start_line for m in kit.messages]
    kit.run_until_idle()
