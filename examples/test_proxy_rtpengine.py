"""What the phones and the media engine see of proxy_rtpengine.py."""

import pytest

from siphon_sdk import SipTestHarness

pytestmark = pytest.mark.siphon("proxy_rtpengine.py", config="proxy_rtpengine.yaml")

ENGINE = "198.18.1.1"


def sdp(address: str) -> str:
    return (
        f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        "m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )


SDP = {"Content-Type": "application/sdp"}


def test_both_phones_are_given_the_engine_and_the_bye_ends_its_sessions(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    bob.register()
    call = alice.invite(bob, headers=SDP, body=sdp("10.9.9.1"))
    offered = bob.calls[0].invite
    assert offered.body is not None and ENGINE in offered.body.decode() and "10.9.9.1" not in offered.body.decode()
    bob.answer(headers=SDP, body=sdp("10.9.9.2"))
    answered = [m for m in harness.messages if m.status_code == 200 and b"m=audio" in (m.body or b"")][-1]
    assert answered.body is not None and ENGINE in answered.body.decode()
    [session] = harness.rtpengine.sessions
    assert session.answered and len(session.tags) == 2 and len(session.ports) == 2
    call.bye()
    assert harness.rtpengine.sessions == []
    assert [c.verb for c in harness.rtpengine.commands] == ["offer", "answer", "delete"]


def test_a_call_that_is_refused_or_cancelled_leaves_no_session(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    alice.invite(bob, headers=SDP, body=sdp("10.9.9.1"))
    assert harness.rtpengine.sessions == []
    bob.register()
    alice.invite(bob, headers=SDP, body=sdp("10.9.9.1"))
    bob.reject(486)
    assert harness.rtpengine.sessions == []
    call = alice.invite(bob, headers=SDP, body=sdp("10.9.9.1"))
    bob.ring()
    assert len(harness.rtpengine.sessions) == 1
    call.cancel()
    assert harness.rtpengine.sessions == []


def test_an_offer_in_the_answer_is_answered_in_the_ack(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    bob.register()
    alice.invite(bob)
    bob.answer(headers=SDP, body=sdp("10.9.9.2"))
    assert [c.verb for c in harness.rtpengine.commands] == ["offer"]


@pytest.mark.parametrize("trouble", ["dead", "deaf", "full"])
def test_without_an_engine_the_caller_has_his_503_within_its_timeout(harness: SipTestHarness, trouble: str) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    bob.register()
    getattr(harness.rtpengine, trouble)()
    before = harness.now
    call = alice.invite(bob, headers=SDP, body=sdp("10.9.9.1"))
    harness.settle()
    assert call.status_code == 503
    assert harness.now - before < 1.5
    harness.rtpengine.revive()
    harness.advance(2)
    again = alice.invite(bob, headers=SDP, body=sdp("10.9.9.1"))
    bob.answer(headers=SDP, body=sdp("10.9.9.2"))
    assert again.state == "confirmed"


def test_a_call_whose_engine_dies_can_still_hang_up(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    bob.register()
    call = alice.invite(bob, headers=SDP, body=sdp("10.9.9.1"))
    bob.answer(headers=SDP, body=sdp("10.9.9.2"))
    harness.rtpengine.dead()
    call.bye()
    harness.settle()
    assert bob.calls[0].state == "ended"
    assert any("did not answer" in line.text for line in harness.log)
