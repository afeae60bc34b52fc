"""The pretended media engines: several of them, dead, slow, full and forgetful ones."""

import pytest

from siphon_sdk import SipTestHarness

SCRIPT = """
from siphon import MediaError, Reply, Request, log, proxy, registrar, rtpengine

@proxy.on_request("REGISTER")
def register(request: Request) -> None:
    registrar.save(request)

@proxy.on_request
async def route(request: Request) -> None:
    if request.method == "INVITE":
        try:
            await rtpengine.offer(request, profile=request.get_header("X-Profile"))
        except MediaError as error:
            request.reply(503, str(error))
            return
    if request.method == "BYE":
        log.info("deleted", known=await rtpengine.delete(request), left=rtpengine.active_sessions)
    if request.method == "INFO":
        log.info("asked", query=await rtpengine.query(request), blocked=await rtpengine.block_media(request))
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    request.record_route()
    request.fork(registrar.lookup(request.ruri))

@proxy.on_reply
async def on_reply(request: Request, reply: Reply) -> None:
    if request.method == "INVITE":
        await rtpengine.answer(reply)
"""

ONE, TWO = "10.0.9.1:22222", "10.0.9.2:22222"
CONFIG = {
    "listen": {"udp": ["10.0.0.1:5060"]},
    "domain": {"local": ["example.com"]},
    "media": {"rtpengine": {"timeout_ms": 1000, "instances": [{"address": ONE}, {"address": TWO}]}},
}
SDP = "v=0\r\no=- 1 1 IN IP4 10.9.9.1\r\ns=-\r\nc=IN IP4 10.9.9.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
TYPE = {"Content-Type": "application/sdp"}


@pytest.fixture
def harness() -> SipTestHarness:
    made = SipTestHarness(config=CONFIG)
    made.load_source(SCRIPT)
    made.ua("bob").register()
    return made


def test_calls_are_shared_and_each_stays_on_its_engine(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    assert harness.rtpengine.engines == [ONE, TWO]
    calls = []
    for _ in range(12):
        calls.append(alice.invite(bob, headers=TYPE, body=SDP))
        bob.answer(headers=TYPE, body=SDP)
    assert {session.engine for session in harness.rtpengine.sessions} == {ONE, TWO}
    assert all(session.answered for session in harness.rtpengine.sessions)
    for call in calls:
        call.bye()
    assert harness.rtpengine.sessions == []
    engines = {command.call_id: set[str]() for command in harness.rtpengine.commands}
    for command in harness.rtpengine.commands:
        engines[command.call_id].add(command.engine)
    assert all(len(of) == 1 for of in engines.values())
    deleted = [line for line in harness.log if line.text == "deleted"]
    assert len(deleted) == 12 and str(deleted[-1].fields["left"]) == "0"


@pytest.mark.parametrize("trouble", ["dead", "deaf", "full"])
def test_new_calls_go_to_the_other_engine(harness: SipTestHarness, trouble: str) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    getattr(harness.rtpengine, trouble)(ONE)
    for _ in range(6):
        call = alice.invite(bob, headers=TYPE, body=SDP)
        harness.settle()
        bob.answer(headers=TYPE, body=SDP)
        assert call.state == "confirmed"
    assert {session.engine for session in harness.rtpengine.sessions} == {TWO}


def test_an_engine_that_answers_too_late_keeps_nothing(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    harness.rtpengine.slow(5.0)
    call = alice.invite(bob, headers=TYPE, body=SDP)
    harness.settle()
    refusal = next(m for m in call.messages if m.status_code == 503)
    assert refusal.at - call.invite.at < 1.2
    harness.advance(60)
    assert harness.rtpengine.sessions == []


def test_an_engine_that_forgot_the_call_says_so_and_the_bye_goes_on(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    call = alice.invite(bob, headers=TYPE, body=SDP)
    bob.answer(headers=TYPE, body=SDP)
    call.request("INFO")
    [session] = harness.rtpengine.sessions
    assert session.blocked == [call.invite.from_tag]
    harness.rtpengine.forget()
    call.request("INFO")
    asked = [line.fields for line in harness.log if line.text == "asked"]
    assert [str(fields["blocked"]) for fields in asked] == ["True", "False"]
    assert "totals" in str(asked[0]["query"]) and str(asked[1]["query"]) == "None"
    call.bye()
    assert bob.calls[0].state == "ended"


def test_a_profile_is_what_the_callee_is_spoken_to_with(harness: SipTestHarness) -> None:
    alice, bob = harness.ua("alice"), harness.ua("bob")
    alice.invite(bob, headers={**TYPE, "X-Profile": "rtp_to_srtp"}, body=SDP)
    assert b"RTP/SAVP" in (bob.calls[0].invite.body or b"")
