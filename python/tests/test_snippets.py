"""The scripts of the how-to pages, in the kit: what their pages promise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from siphon_sdk import SipTestHarness

Siphon = Callable[..., SipTestHarness]

SNIPPETS = Path(__file__).parents[2] / "docs/snippets"
ONE, TWO = "sip:bob@192.0.2.11:5060", "sip:bob@192.0.2.12:5060"


def made(siphon: Siphon, name: str) -> SipTestHarness:
    return siphon(SNIPPETS / name, users={"alice": "secret", "bob": "secret"}, domains=["example.com"])


def test_the_second_trunk_is_tried_when_the_first_fails(siphon: Siphon) -> None:
    kit = made(siphon, "trunk.py")
    result = kit.send_request("INVITE", "sip:+15550100@example.com", auth=("alice", "secret"))
    assert "Proxy-Authorization" not in result.relayed[0]
    kit.send_reply(result, 503)
    assert [m.destination for m in result.relayed] == ["192.0.2.10:5060", "192.0.2.11:5060"]
    kit.send_reply(result, 200)
    assert result.status_code == 200


def test_the_second_trunk_is_not_tried_for_a_busy_callee(siphon: Siphon) -> None:
    kit = made(siphon, "trunk.py")
    result = kit.send_request("INVITE", "sip:+15550100@example.com", auth=("alice", "secret"))
    kit.send_reply(result, 486)
    assert result.status_code == 486 and len(result.relayed) == 1


def test_phones_ring_one_after_the_other_and_then_the_mailbox(siphon: Siphon) -> None:
    kit = made(siphon, "voicemail.py")
    kit.registrar.add("sip:bob@example.com", ONE, q=1.0)
    kit.registrar.add("sip:bob@example.com", TWO, q=0.5)
    result = kit.send_request("INVITE", "sip:bob@example.com")
    assert result.targets == [ONE]
    kit.send_reply(result, 180)
    kit.advance(16)
    kit.send_reply(result, 487, target=ONE)
    assert result.targets == [ONE, TWO]
    kit.send_reply(result, 486, target=TWO)
    assert result.targets[-1] == "sip:mailbox@192.0.2.30"


def test_the_screening_server_decides_and_its_silence_lets_calls_through(siphon: Siphon) -> None:
    kit = made(siphon, "ask.py")
    kit.registrar.add("sip:bob@example.com", ONE)
    silent = kit.send_request("INVITE", "sip:bob@example.com")
    assert silent.targets == [ONE]
    assert "the screening server is silent" in kit.log
    kit.ua("screening", address="192.0.2.40:5060").by_hand(status=403)
    assert kit.send_request("INVITE", "sip:bob@example.com").replied_with == (603, "Decline")
    asked = [m for m in kit.sent if m.method == "OPTIONS" and m.is_request]
    assert asked[-1]["X-Caller"] == "alice"


def test_a_caller_gets_the_name_of_the_cache(siphon: Siphon) -> None:
    kit = siphon(
        SNIPPETS / "names.py",
        config={"domain": {"local": ["example.com"]}, "cache": [{"name": "cnam", "local_max_entries": 9, "local_ttl_secs": 60}]},
    )
    bob = kit.ua("bob")
    bob.register()
    assert "registration" in kit.log
    result = kit.send_request("INVITE", "sip:bob@example.com")
    assert result.targets == [bob.contact]
    kit.send_cancel(result)
    assert "the caller gave up" in kit.log


def described(*media: str) -> str:
    return "\r\n".join(["v=0", "o=- 1 1 IN IP4 192.0.2.9", "s=-", "c=IN IP4 192.0.2.9", "t=0 0", *media, ""])


def test_an_offer_is_cut_down_to_what_the_script_keeps(siphon: Siphon) -> None:
    kit = made(siphon, "codecs.py")
    kit.registrar.add("sip:bob@example.com", ONE)
    opus = "a=rtpmap:96 opus/48000/2"
    offer = described("m=audio 4000 RTP/AVP 96 0 8", opus, "m=video 4002 RTP/AVP 31")
    result = kit.send_request("INVITE", "sip:bob@example.com", body=offer, content_type="application/sdp")
    sent = described("m=audio 4000 RTP/AVP 8 0", "m=video 0 RTP/AVP 31")
    assert result.relayed[0].body == sent.encode()
    kit.send_reply(result, 200, body=described("m=audio 6000 RTP/AVP 8"), content_type="application/sdp")
    assert "agreed" in kit.log and "codecs=PCMA" in kit.log


def test_an_offer_without_anything_kept_is_not_acceptable_here(siphon: Siphon) -> None:
    kit = made(siphon, "codecs.py")
    for offer, status in [(described("m=video 4002 RTP/AVP 31"), 488), ("v=1\r\n", 400)]:
        result = kit.send_request("INVITE", "sip:bob@example.com", body=offer, content_type="application/sdp")
        assert result.status_code == status
