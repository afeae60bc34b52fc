"""User agents under a test's control: registering, calling, answering, over a wire that may be bad."""

from pathlib import Path

import pytest

from siphon_sdk import SipTestHarness, UserAgent

SCRIPT = Path(__file__).parent / "scripts/forking.py"
USERS = {"alice": "one", "bob": "two", "carol": "three"}


def world(**given: object) -> SipTestHarness:
    return SipTestHarness(SCRIPT, users=USERS, domains=["example.com"], **given)  # type: ignore[arg-type]


def registered(kit: SipTestHarness, *names: str, transport: str = "udp") -> list[UserAgent]:
    agents = [kit.ua(name, transport=transport) for name in names]  # type: ignore[arg-type]
    for agent in agents:
        final = agent.register()
        assert final is not None and final.status_code == 200, agent.messages
    return agents


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("shards", [1, 3])
def test_a_call_from_ringing_to_bye(transport: str, shards: int) -> None:
    kit = world(shards=shards)
    alice, bob = registered(kit, "alice", "bob", transport=transport)
    call = alice.invite("bob", body="v=0\r\n")
    (at_bob,) = bob.incoming
    assert (call.state, at_bob.state, at_bob.id) == ("calling", "incoming", call.id)
    assert at_bob.invite.text == "v=0\r\n"
    bob.ring()
    assert (call.state, call.status_code) == ("proceeding", 180)
    bob.answer(body="v=0\r\no=bob\r\n")
    assert (call.state, at_bob.state, call.status_code) == ("confirmed", "confirmed", 200)
    call.reinvite()
    at_bob.request("INFO", body="x", headers={"Content-Type": "text/plain"})
    assert [m.method for m in alice.received if m.is_request] == ["INFO"]
    at_bob.bye()
    assert (call.state, at_bob.state) == ("ended", "ended")
    kit.run_until_idle()
    assert kit.open_transactions == 0
    assert kit.metrics.value("calls", how="forked") == 1.0


def test_a_cancelled_call_ends_both_ends() -> None:
    kit = world()
    alice, bob = registered(kit, "alice", "bob")
    call = alice.invite(bob)
    bob.ring()
    call.cancel()
    assert (call.state, call.status_code) == ("failed", 487)
    assert bob.calls[-1].state == "failed" and not bob.incoming


def test_a_cancel_before_any_response_waits_for_the_100() -> None:
    kit = world()
    alice, _bob = registered(kit, "alice", "bob")
    call = alice.invite("bob").cancel()
    cancels = [m for m in call.messages if m.method == "CANCEL" and m.is_request]
    hundred = [m for m in call.messages if m.status_code == 100]
    assert len(cancels) == 1 and hundred and hundred[0].at < cancels[0].at


def test_the_answer_and_the_cancel_cross() -> None:
    kit = world()
    alice, bob = registered(kit, "alice", "bob")
    call = alice.invite("bob")
    bob.ring()
    kit.conditions(delay=0.2)
    kit._kit.respond(bob._host, call.id, 200, "", "")
    call.cancel()
    kit.run_until_idle()
    # The 200 won: the caller acknowledges it and hangs up at once.
    methods = [m.method for m in bob.received if m.is_request]
    assert methods.index("ACK") < methods.index("BYE")
    assert call.state == "ended"


def test_the_first_of_two_phones_to_answer_wins_and_the_other_is_cancelled() -> None:
    kit = world()
    alice, desk = registered(kit, "alice", "bob")
    mobile = kit.ua("mobile", login="bob")
    assert mobile.register() is not None
    call = alice.invite("bob")
    desk.ring()
    mobile.ring()
    mobile.answer()
    assert call.state == "confirmed"
    assert desk.calls[-1].state == "failed"
    assert any(m.method == "CANCEL" for m in desk.received)


def test_a_refused_call_fails_over_where_the_script_says() -> None:
    kit = world()
    alice, bob = registered(kit, "alice", "bob")
    call = alice.invite("bob")
    bob.reject(503)
    onward = [m for m in kit.sent if m.method == "INVITE" and m.is_request][-1]
    assert kit.hop(onward) == "sip:voicemail.example.net:5060"
    kit.send_reply(onward, 200)
    assert call.state == "confirmed"
    assert "failed code=503" in kit.log


def test_busy_comes_back_and_unknown_users_are_404() -> None:
    kit = world()
    alice, bob = registered(kit, "alice", "bob")
    call = alice.invite("bob")
    bob.reject(486)
    assert (call.state, call.status_code) == ("failed", 486)
    assert alice.invite("nobody").status_code == 404


def test_bindings_lapse_and_are_removed() -> None:
    kit = world()
    (bob,) = registered(kit, "bob")
    assert bob.is_registered
    final = bob.unregister()
    assert final is not None and final.status_code == 200 and not bob.is_registered
    bob.register(120)
    kit.advance(121)
    assert not bob.is_registered


def test_phones_that_answer_by_themselves() -> None:
    kit = world()
    alice, bob, carol = registered(kit, "alice", "bob", "carol")
    bob.auto_answer(after=2)
    carol.auto_reject(603)
    call = alice.invite("bob")
    assert call.status_code != 200
    kit.advance(3)
    assert call.state == "confirmed"
    assert alice.invite("carol").status_code == 603


def test_a_request_outside_calls_and_its_answer() -> None:
    kit = world()
    alice, bob = registered(kit, "alice", "bob")
    final = alice.message("bob", "hello")
    assert final is not None and final.status_code == 200
    assert bob.received[-1].text == "hello"


def test_a_bad_wire_costs_retransmissions_and_no_call_and_repeats_by_its_seed() -> None:
    def run(seed: int) -> tuple[int, int, str]:
        kit = world(seed=seed)
        kit.conditions(loss=0.3, duplicates=0.1, reordered=0.1, delay=(0.001, 0.05))
        alice, bob = kit.ua("alice"), kit.ua("bob")
        bob.auto_answer(after=1)
        bob.register()
        kit.advance(30)
        call = alice.invite("bob")
        kit.advance(60)
        state = call.state
        call.bye()
        kit.run_until_idle()
        return kit.fingerprint, sum(m.lost for m in kit.messages), state

    first, again, other = run(5), run(5), run(6)
    assert first == again and first[0] != other[0]
    assert first[1] > 0 and first[2] == "confirmed" == other[2]


def test_a_phone_that_lost_its_connection_is_reached_by_another() -> None:
    kit = world()
    (alice,) = registered(kit, "alice")
    (bob,) = registered(kit, "bob", transport="tcp")
    alice.invite("bob")
    (call,) = bob.incoming
    assert call.invite.transport == "tcp"
    bob.disconnect()
    again = alice.invite("bob")
    bob.answer()
    assert again.state == "confirmed"
    assert len({m.source for m in bob.received if m.method == "INVITE" and m.is_request}) == 2


def test_a_restarted_node_has_forgotten_its_bindings() -> None:
    kit = world()
    alice, bob = registered(kit, "alice", "bob")
    kit.kill()
    assert alice.request("OPTIONS", "sip:example.com") is None
    kit.restart()
    kit.run_until_idle()
    assert not kit.bindings(bob.aor)
    assert bob.register() is not None and bob.is_registered


def test_a_phone_with_a_password_can_log_in_where_no_yaml_is_given() -> None:
    kit = SipTestHarness(SCRIPT)
    alice = kit.ua("alice", password="open sesame", domain="example.com")
    final = alice.register()
    assert final is not None and final.status_code == 200
    stranger = SipTestHarness(SCRIPT, users={"alice": "one"}).ua("alice", password="guessed")
    refused = stranger.register()
    assert refused is not None and refused.status_code == 401
