"""What both sides of a call and the media engine see of b2bua_rtpengine.py."""

import pytest

from siphon_sdk import SipTestHarness

pytestmark = pytest.mark.siphon("b2bua_rtpengine.py", config="b2bua_rtpengine.yaml")

ENGINE = b"198.18.1.1"
SDP = {"Content-Type": "application/sdp"}


def sdp(address: str) -> str:
    return (
        f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        "m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
    )


def test_neither_side_sees_the_other_and_the_session_ends_with_the_call(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    bob.register()
    call = alice.invite(bob, headers=SDP, body=sdp("10.9.9.1"))
    offered = bob.calls[0].invite
    assert offered.body is not None and ENGINE in offered.body and b"10.9.9.1" not in offered.body
    bob.answer(headers=SDP, body=sdp("10.9.9.2"))
    answered = [m for m in harness.messages if m.status_code == 200 and m.body and ENGINE in m.body]
    assert answered and all(b"10.9.9.2" not in (m.body or b"") for m in answered)
    assert len(harness.rtpengine.sessions) == 1
    call.bye()
    assert harness.rtpengine.sessions == []
    assert [c.verb for c in harness.rtpengine.commands] == ["offer", "answer", "delete"]


def test_a_call_that_is_refused_or_cancelled_leaves_no_session(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    bob.register()
    alice.invite(bob, headers=SDP, body=sdp("10.9.9.1"))
    bob.reject(486)
    assert harness.rtpengine.sessions == []
    call = alice.invite(bob, headers=SDP, body=sdp("10.9.9.1"))
    bob.ring()
    call.cancel()
    assert harness.rtpengine.sessions == []
