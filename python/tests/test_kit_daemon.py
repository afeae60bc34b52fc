"""Kit and daemon say the same: each scenario runs on both with one script, one YAML, the same octets in, and what the
node sent to each of its peers is equal, octet by octet, but for these masks: branches, tags, `nonce` and `opaque` of
the node (the n-th new one is the n-th everywhere), the token of two flows in front of the @ of Route and Record-Route and
parameters behind `lr` there (both are sealed with a key of the node), the value of Date, and `expires=3599`, which is
3600. Copies of a message and the 100 count in the scenarios of `TIMED` only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from stages import DaemonStage, KitStage, Person, Stage

from siphon_sdk import Message, SipTestHarness

Scenario = Callable[[Stage], None]
SCENARIOS: dict[str, Scenario] = {}


def scenario(function: Scenario) -> Scenario:
    """Enters a scenario under its own name."""
    SCENARIOS[function.__name__] = function
    return function


# ---- answered by the node ---------------------------------------------------------------------------------------------


@scenario
def options(s: Stage) -> None:
    s.request("OPTIONS")


@scenario
def a_reason_of_its_own(s: Stage) -> None:
    s.request("MESSAGE", "reply 480 Gone Fishing", body="hello", Content_Type="text/plain")


@scenario
def a_method_of_nobody(s: Stage) -> None:
    s.request("JUGGLE", "reply 405")


@scenario
def no_hops_left(s: Stage) -> None:
    s.request("OPTIONS", f"relay {s.uri('one')}", Max_Forwards="0")


@scenario
def the_method_is_not_that_of_cseq(s: Stage) -> None:
    s.request("OPTIONS", CSeq="7 INVITE")


@scenario
def no_call_id(s: Stage) -> None:
    s.request("OPTIONS", Call_ID="")


@scenario
def an_unknown_proxy_require(s: Stage) -> None:
    s.request("OPTIONS", f"relay {s.uri('one')}", Proxy_Require="magic")


@scenario
def a_handler_that_raises(s: Stage) -> None:
    s.request("OPTIONS", "raise")


@scenario
def a_handler_that_decides_nothing(s: Stage) -> None:
    s.request("OPTIONS", "nothing")


@scenario
def a_dropped_request(s: Stage) -> None:
    s.request("OPTIONS", "drop")


@scenario
def a_handler_that_sleeps(s: Stage) -> None:
    s.request("OPTIONS", "sleep")
    s.pause(0.4)


@scenario
def a_retransmission_is_not_asked_about(s: Stage) -> None:
    again = s.request("OPTIONS", "reply 404")
    s.send("client", again)
    s.send("client", again)


# ---- registering ------------------------------------------------------------------------------------------------------


def register(s: Stage, contact: str | None = None, **more: str) -> bytes:
    aor = f"<sip:{s.name.replace('_', '')}@example.com>"
    return s.request("REGISTER", "register", To=aor, Contact=f"<{s.uri('one', 'x')}>" if contact is None else contact, **more)


@scenario
def registering_and_asking(s: Stage) -> None:
    register(s)
    register(s, "")


@scenario
def two_contacts_and_taking_one_back(s: Stage) -> None:
    register(s, f"<{s.uri('one')}>;q=0.5, <{s.uri('two')}>;expires=600")
    register(s, f"<{s.uri('one')}>;expires=0")


@scenario
def a_registration_that_is_too_brief(s: Stage) -> None:
    register(s, Expires="5")


@scenario
def a_star_with_a_lifetime(s: Stage) -> None:
    register(s, "*", Expires="60")


@scenario
def a_star_that_removes(s: Stage) -> None:
    register(s)
    register(s, "*", Expires="0")


@scenario
def a_digest_challenge_and_its_answer(s: Stage) -> None:
    # Over each transport somebody else: what is left of an older binding's time is for the clock to say.
    user = "alice" if s.transport == "udp" else "tina"
    registered = {"To": f"<sip:{user}@example.com>", "Contact": f"<{s.uri('one', user)}>"}
    s.request("REGISTER", "digest", **registered)
    s.request("REGISTER", "digest", Authorization=s.credentials(user, "secret", "REGISTER"), **registered)


@scenario
def a_wrong_password(s: Stage) -> None:
    s.request("REGISTER", "digest", To="<sip:alice@example.com>")
    wrong = s.credentials("alice", "guessed", "REGISTER")
    s.request("REGISTER", "digest", To="<sip:alice@example.com>", Authorization=wrong)


@scenario
def a_call_to_what_is_registered(s: Stage) -> None:
    register(s)
    invite = s.request("INVITE", "lookup", uri=f"sip:{s.name.replace('_', '')}@example.com")
    s.reply("one", 486)
    s.ack("client", invite)


# ---- relayed ----------------------------------------------------------------------------------------------------------


@scenario
def a_call_from_invite_to_bye(s: Stage) -> None:
    s.request("INVITE", f"routed {s.uri('one')}", body="v=0\r\n", Content_Type="application/sdp")
    s.reply("one", 180)
    s.reply("one", 200)
    s.in_dialog("ACK")
    s.in_dialog("INFO")
    s.reply("one", 200)
    s.in_dialog("INVITE")
    s.reply("one", 200)
    s.in_dialog("ACK")
    s.in_dialog("BYE")
    s.reply("one", 200)


@scenario
def a_refused_call(s: Stage) -> None:
    invite = s.request("INVITE", f"relay {s.uri('one')}")
    s.reply("one", 404)
    s.ack("client", invite)


@scenario
def a_refused_call_is_refused_again_until_it_is_acknowledged(s: Stage) -> None:
    invite = s.request("INVITE", f"relay {s.uri('one')}")
    s.reply("one", 486)
    s.send("client", invite)
    s.ack("client", invite)


@scenario
def a_failure_that_goes_somewhere_else(s: Stage) -> None:
    invite = s.request("INVITE", f"relay {s.uri('one')}", X_Then=s.uri("two"))
    s.reply("one", 486)
    s.reply("two", 603)
    s.ack("client", invite)


@scenario
def a_message_and_its_answer(s: Stage) -> None:
    s.request("MESSAGE", f"relay {s.uri('one')}", body="hello", Content_Type="text/plain")
    s.reply("one", 202)


@scenario
def a_redirect_comes_back(s: Stage) -> None:
    invite = s.request("INVITE", f"relay {s.uri('one')}")
    s.reply("one", 302, Contact="<sip:elsewhere@192.0.2.1>")
    s.ack("client", invite)


@scenario
def edited_on_its_way(s: Stage) -> None:
    s.request("OPTIONS", f"edit {s.uri('one')}", uri=s.uri("one", "before"), X_Secret_Key="1", X_Other="2")
    s.reply("one", 200)


@scenario
def odd_spelling_stays(s: Stage) -> None:
    raw = s.request("MESSAGE", f"relay {s.uri('one')}", who="two", s=" odd ,  spacing", X_Folded="a\r\n  b")
    assert Message(raw).header("Subject") == "odd ,  spacing"
    s.reply("one", 200)


@scenario
def a_pre_loaded_route(s: Stage) -> None:
    s.request("OPTIONS", "relay", uri="sip:far@192.0.2.1", Route=f"<{s.here};lr>, <{s.uri('two')};lr>")
    s.reply("two", 200)


@scenario
def a_silent_next_hop_gets_copies_and_the_caller_a_100(s: Stage) -> None:
    s.request("INVITE", f"relay {s.uri('one')}")
    s.pause(1.0)
    s.reply("one", 486)


@scenario
def nobody_answers(s: Stage) -> None:
    s.request("MESSAGE", f"relay {s.uri('one')}")
    s.pause(6.6)


@scenario
def a_stray_response_goes_nowhere(s: Stage) -> None:
    via = f"SIP/2.0/UDP {s.here[4:]};branch=z9hG4bK-t-unknown"
    s.request("OPTIONS", "reply 200")
    s.send("one", f"SIP/2.0 200 OK\r\nVia: {via}\r\nVia: SIP/2.0/UDP 127.0.0.1:{s.people['client']};branch=z9hG4bK-t-x\r\n"
           f"From: <sip:a@b>;tag=t-1\r\nTo: <sip:a@b>;tag=t-2\r\nCall-ID: {s.name}\r\nCSeq: 1 OPTIONS\r\n"
           "Content-Length: 0\r\n\r\n".encode())


@scenario
def an_unknown_dialog(s: Stage) -> None:
    s.request("BYE", To="<sip:bob@example.com>;tag=t-unknown", Route=f"<{s.here};lr>", uri=s.uri("one"))
    s.request("BYE", To="<sip:bob@example.com>;tag=t-unknown")


# ---- cancelled --------------------------------------------------------------------------------------------------------


@scenario
def cancelled_while_it_rings(s: Stage) -> None:
    invite = s.request("INVITE", f"relay {s.uri('one')}")
    s.reply("one", 180)
    s.cancel(invite)
    ringing = [m for m in s.inbox["one"] if m.method == "INVITE"][0]
    s.reply("one", 200)
    s.reply("one", 487, to=ringing)
    s.ack("client", invite)


@scenario
def cancelled_before_any_response(s: Stage) -> None:
    invite = s.request("INVITE", f"relay {s.uri('one')}")
    s.cancel(invite)
    s.reply("one", 180, to=s.inbox["one"][0])
    s.reply("one", 487, to=s.inbox["one"][0])
    s.ack("client", invite)


@scenario
def the_200_was_faster_than_the_cancel(s: Stage) -> None:
    invite = s.request("INVITE", f"relay {s.uri('one')}")
    s.reply("one", 200)
    s.cancel(invite)


@scenario
def a_cancel_of_nothing(s: Stage) -> None:
    via = f"SIP/2.0/UDP 127.0.0.1:{s.people['client']};branch=z9hG4bK-t-never;rport"
    s.request("CANCEL", Via=via)


# ---- forked -----------------------------------------------------------------------------------------------------------


@scenario
def the_first_to_answer_wins(s: Stage) -> None:
    s.request("INVITE", f"fork {s.uri('one')} {s.uri('two')}")
    s.reply("one", 180)
    s.reply("two", 180)
    first = s.inbox["one"][0]
    s.reply("two", 200)
    s.reply("one", 200)
    s.reply("one", 487, to=first)


@scenario
def the_best_of_two_failures(s: Stage) -> None:
    invite = s.request("INVITE", f"fork {s.uri('one')} {s.uri('two')}")
    s.reply("one", 503)
    s.reply("two", 404)
    s.ack("client", invite)


@scenario
def a_decline_ends_the_other_branch(s: Stage) -> None:
    invite = s.request("INVITE", f"fork {s.uri('one')} {s.uri('two')}")
    s.reply("one", 180)
    s.reply("two", 603)
    first = [m for m in s.inbox["one"] if m.method == "INVITE"][0]
    s.reply("one", 200)
    s.reply("one", 487, to=first)
    s.ack("client", invite)


@scenario
def one_after_the_other(s: Stage) -> None:
    s.request("INVITE", f"one-by-one {s.uri('one')} {s.uri('two')}")
    s.reply("one", 486)
    s.reply("two", 180)
    s.reply("two", 200)


@scenario
def a_fork_to_nobody(s: Stage) -> None:
    invite = s.request("INVITE", "fork")
    s.ack("client", invite)


# ---- over TCP ---------------------------------------------------------------------------------------------------------


def a_call_along_the_connection_of_a_registration(s: Stage) -> None:
    aor = f"sip:{s.name}@example.com"
    s.request("REGISTER", "register", who="two", To=f"<{aor}>", Contact=f"<{s.uri('two', 'x')}>")
    invite = s.request("INVITE", "lookup", uri=aor)
    s.reply("two", 486)
    s.ack("client", invite)


def a_registered_phone_that_hangs_up_the_connection(s: Stage) -> None:
    # Its contact is where nobody listens: only the connection leads there.
    aor = f"<sip:{s.name.replace('-', '')}@example.com>"
    s.request("REGISTER", "register", To=aor, Contact="<sip:x@192.0.2.55:5099;transport=tcp>")
    s.request("REGISTER", "register", To=aor, Contact="")
    s.disconnect("client")
    s.pause(0.2)
    s.request("REGISTER", "register", To=aor, Contact="")


def a_next_hop_that_breaks_the_connection_before_it_answers(s: Stage) -> None:
    s.request("MESSAGE", f"relay {s.uri('one')}")
    s.disconnect("one")
    s.pause(0.2)


def a_caller_that_comes_back_on_another_connection(s: Stage) -> None:
    s.request("INVITE", f"routed {s.uri('one')}")
    s.reply("one", 180)
    s.disconnect("client")
    s.pause(0.2)
    s.request("OPTIONS")
    s.reply("one", 200, to=[m for m in s.inbox["one"] if m.method == "INVITE"][0])


OVER_TCP = [
    options, no_hops_left, an_unknown_proxy_require, a_retransmission_is_not_asked_about,
    registering_and_asking, a_digest_challenge_and_its_answer,
    a_call_along_the_connection_of_a_registration, a_call_from_invite_to_bye, a_refused_call, a_failure_that_goes_somewhere_else, a_message_and_its_answer,
    edited_on_its_way, a_pre_loaded_route, cancelled_while_it_rings, the_first_to_answer_wins, one_after_the_other,
    a_registered_phone_that_hangs_up_the_connection, a_next_hop_that_breaks_the_connection_before_it_answers,
    a_caller_that_comes_back_on_another_connection,
]  # fmt: skip


TIMED = [a_silent_next_hop_gets_copies_and_the_caller_a_100, nobody_answers, a_retransmission_is_not_asked_about]


# ---- both stages ------------------------------------------------------------------------------------------------------


class Both:
    """The kit and a daemon at the same addresses."""

    def __init__(self, directory: Path) -> None:
        self.persons = {who: Person(listens=who != "client") for who in ("client", "one", "two")}
        spare = Person(listens=True)
        node = ("127.0.0.1", spare.port)
        spare.close()
        self.script = directory / "scenarios.py"
        self.text = (Path(__file__).parent / "scripts/scenarios.py").read_text()
        self.script.write_text(self.text)
        self.config = directory / "siphon-proxy.yaml"
        self.yaml = (
            f"listen: {{udp: ['127.0.0.1:{node[1]}'], tcp: ['127.0.0.1:{node[1]}']}}\n"
            "script: {path: scenarios.py}\nshards: 2\n"
            "domain: {local: [example.com]}\nauth: {realm: example.com, users: {alice: secret, tina: secret, rita: secret}}\n"
            "transaction: {t1_ms: 100}\n"
            "nat: {keepalive: {enabled: false}, crlf_keepalive: {enabled: false}}\n"
        )
        self.config.write_text(self.yaml)
        self.daemon = DaemonStage(self.config, node, self.persons)
        self.kit = KitStage(SipTestHarness(config=self.config), node, self.daemon.people)

    def run(self, name: str, play: Scenario, transport: str = "udp") -> tuple[str, str]:
        """What the node sent, in the kit and in the daemon."""
        self.kit.begin(name, transport)
        play(self.kit)
        self.daemon.begin(name, transport)
        self.daemon.expected = self.kit.counts
        play(self.daemon)
        timed = play in TIMED
        return self.kit.shown(timed=timed), self.daemon.shown(timed=timed)

    def close(self) -> None:
        self.daemon.close()
        for each in self.persons.values():
            each.close()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    stages = Both(tmp_path_factory.mktemp("both"))
    yield stages
    stages.close()


@pytest.mark.parametrize("name", SCENARIOS)
def test_kit_and_daemon_send_the_same(both: Both, name: str) -> None:
    in_kit, in_daemon = both.run(name.replace("_", "-"), SCENARIOS[name])
    assert in_kit == in_daemon
    assert name == "a_dropped_request" or in_kit, "nothing was compared"


@pytest.mark.parametrize("name", [play.__name__ for play in OVER_TCP])
def test_kit_and_daemon_send_the_same_over_tcp(both: Both, name: str) -> None:
    play = next(play for play in OVER_TCP if play.__name__ == name)
    in_kit, in_daemon = both.run(f"tcp-{name.replace('_', '-')}", play, "tcp")
    assert in_kit == in_daemon
    assert "SIP/2.0/TCP" in in_kit and "SIP/2.0/UDP" not in in_kit


def test_a_changed_configuration_is_taken_over_by_both(both: Both) -> None:
    other = both.yaml.replace("rita: secret", "rita: changed") + "registrar: {min_expires: 1000}\n"

    def play(s: Stage) -> None:
        registered = {"To": "<sip:rita@example.com>", "Contact": f"<{s.uri('one', 'rita')}>"}

        def log_in(password: str) -> None:
            s.request("REGISTER", "digest", **registered)
            s.request("REGISTER", "digest", Authorization=s.credentials("rita", password, "REGISTER"), **registered)

        log_in("secret")
        s.reload(both.config, other)
        log_in("secret")
        log_in("changed")
        register(s, Expires="999")
        s.reload(both.config, both.yaml)
        log_in("secret")

    in_kit, in_daemon = both.run("reconfigured", play)
    assert in_kit == in_daemon
    answers = [line.split()[1] for line in in_kit.splitlines() if line.startswith("SIP/2.0 ")]
    assert answers == ["401", "200", "401", "401", "401", "200", "423", "401", "200"]


def test_a_reload_takes_effect_in_both(both: Both) -> None:
    other = both.text.replace("request.drop()\n\n\n@proxy", "request.reply(410)\n\n\n@proxy")
    assert other != both.text

    def play(s: Stage) -> None:
        s.request("OPTIONS", "drop")
        s.reload(both.script, other)
        s.request("OPTIONS", "drop")
        s.reload(both.script, both.text)
        s.request("OPTIONS", "drop")

    in_kit, in_daemon = both.run("reloaded", play)
    assert in_kit == in_daemon
    assert in_kit.count("410 Gone") == 1


def test_there_are_at_least_thirty_scenarios() -> None:
    assert len(SCENARIOS) >= 30
