"""`siphon-sdk replay`: captured requests against a script."""

import json
import os
import random
import re
from pathlib import Path

import pytest
from commands import SDK, Command, run
from traces import ALICE, BOB, NODE, Recording, answer, request

ROOT = Path(__file__).resolve().parents[2]
CALLS = ROOT / "tests/data/captures/calls.pcapng"
PAGE = ROOT / "docs/howto/replay.md"
SNIPPETS = ROOT / "docs/snippets"

YAML = "listen: {udp: ['0.0.0.0:5060']}\ndomain: {local: [example.com]}\nauth: {realm: example.com}\n"

TO_BOB = """\
from siphon import proxy

@proxy.on_request
def route(request):
    if request.method == "OPTIONS":
        request.reply(200)
    elif request.method == "MESSAGE":
        1 / 0
    else:
        request.relay("sip:198.51.100.8:5062")

@proxy.on_failure
def failed(request, reply):
    if reply.status_code == 486:
        request.relay("sip:mail.example.com")
"""


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "siphon-proxy.yaml").write_text(YAML)
    path = tmp_path / "route.py"
    path.write_text(TO_BOB)
    return path


@pytest.fixture
def trace() -> Recording:
    return Recording()


def forwarded(message: bytes) -> bytes:
    """As the server of the trace sent it on."""
    return message.replace(b"Via:", b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKthen\r\nVia:", 1)


def decided(command: Command) -> list[str]:
    """What was decided, without time, source and request."""
    return [re.sub(r"^\S+ \S+ \S+ \S+ \S+ \S+  ", "", line) for line in command.lines if re.match(r"\d{4}-", line)]


def test_each_request_has_its_verdict(command: Command, script: Path, trace: Recording, tmp_path: Path) -> None:
    trace.udp(request("OPTIONS", "sip:example.com", call_id="a"))
    trace.wait(1.5)
    invite = trace.udp(request("INVITE", "sip:bob@example.com", call_id="b"))
    trace.udp(invite)
    trace.udp(request("CANCEL", "sip:bob@example.com", call_id="b", branch="z9hG4bK-b-1-INVITE"))
    trace.tcp(request("INFO", "sip:bob@example.com", call_id="c", over="TCP"), ("203.0.113.5", 4000))
    assert command("replay", script, trace.write(tmp_path / "t.pcap")) == 0
    assert command.lines[0] == (
        "our address is 192.0.2.1: 5 of 5 requests were sent there; --local ADDRESS says otherwise"
    )
    relayed = "relay sip:bob@example.com via udp 198.51.100.8:5062  route.py:10"
    assert decided(command) == [
        "reply 200 OK  route.py:6",
        relayed,
        "engine: a retransmission",
        "engine: 200 OK",
        relayed,
    ]
    assert command.lines[1].startswith("2023-11-14 22:13:20.000000 udp 198.51.100.7:5062 OPTIONS sip:example.com  ")
    assert command.lines[2].startswith("2023-11-14 22:13:21.501000 ")
    assert command.lines[6:] == ["5 requests: 2 relay, 2 engine, 1 reply"]


def test_a_handler_that_fails_is_an_error_with_its_line(
    command: Command, script: Path, trace: Recording, tmp_path: Path
) -> None:
    trace.udp(request("MESSAGE", "sip:bob@example.com"))
    capture = trace.write(tmp_path / "t.pcap")
    assert command("replay", script, capture) == 1
    assert decided(command) == ["error: ZeroDivisionError: division by zero  route.py:8"]
    assert command("replay", script, capture, "--log", "--json") == 1
    assert "Traceback" in json.loads(command.lines[0])["verdict"]["fault"]
    assert '"level":"error"' in command.err.lower().replace(" ", "")


def test_answers_of_the_capture_lead_to_further_decisions(
    command: Command, script: Path, trace: Recording, tmp_path: Path
) -> None:
    invite = trace.udp(request("INVITE", "sip:bob@example.com"))
    then = trace.udp(forwarded(invite), NODE, BOB)
    trace.udp(answer(then, 180, "Ringing"), BOB, NODE)
    trace.udp(answer(then, 486, "Busy Here"), BOB, NODE)
    trace.udp(answer(invite, 486, "Busy Here"), NODE, ALICE)
    capture = trace.write(tmp_path / "t.pcap")
    assert command("replay", script, capture) == 0
    assert decided(command)[1:] == ["on 486: relay sip:bob@example.com via udp mail.example.com:5060  route.py:15"]
    assert "2 answers fed, 0 to what was not sent here" in command.lines
    assert command("replay", script, capture, "--no-answers") == 0
    # Nobody answers, so the transaction times out, which the script lets pass.
    assert len(decided(command)) == 1


def test_two_scripts_are_compared(command: Command, script: Path, trace: Recording, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.write_text("# Lines move.\n" + TO_BOB.replace("486", "404").replace("reply(200)", "reply(200, 'Fine')"))
    for n in range(3):
        trace.udp(request("OPTIONS" if n == 1 else "INFO", "sip:bob@example.com", call_id=f"c{n}"))
    invite = trace.udp(request("INVITE", "sip:bob@example.com"))
    trace.udp(answer(trace.udp(forwarded(invite), NODE, BOB), 486, "Busy Here"), BOB, NODE)
    capture = trace.write(tmp_path / "t.pcap")
    assert command("replay", script, capture, "--against", other) == 1
    shown = [line for line in command.lines if line.startswith("    ")]
    assert shown == [
        f"    {script}: reply 200 OK  route.py:6",
        f"    {other}: reply 200 Fine  other.py:7",
        f"    {script}: on 486: relay sip:bob@example.com via udp mail.example.com:5060  route.py:15",
        f"    {other}: nothing further",
    ]
    assert "2 verdicts differ" in command.lines
    assert command("replay", script, capture, "--against", script) == 0
    assert "0 verdicts differ" in command.lines and not decided(command)


def test_what_is_shown_can_be_narrowed_and_all_is_fed(command: Command, tmp_path: Path, trace: Recording) -> None:
    (tmp_path / "siphon-proxy.yaml").write_text(YAML)
    script = tmp_path / "route.py"
    script.write_text(
        "from siphon import proxy, registrar\n\n@proxy.on_request\ndef route(request):\n"
        "    if request.method == 'REGISTER':\n        registrar.save(request)\n"
        "    else:\n        request.fork(registrar.lookup(request.ruri))\n"
    )
    contact = "Contact: <sip:bob@198.51.100.8:5062>\n"
    trace.udp(request("REGISTER", "sip:example.com", call_id="r", to="<sip:bob@example.com>", headers=contact), BOB)
    trace.udp(request("MESSAGE", "sip:bob@example.com", call_id="m"))
    capture = trace.write(tmp_path / "t.pcap")
    assert command("replay", script, capture, "--from", "198.51.100.7") == 0
    assert decided(command) == ["relay sip:bob@198.51.100.8:5062  route.py:8"]
    assert command("replay", script, capture, "--call-id", "r") == 0
    assert decided(command) == ["reply 200 OK  route.py:6"]


def test_a_silence_of_decades_is_cut_to_a_day(command: Command, tmp_path: Path, trace: Recording) -> None:
    (tmp_path / "siphon-proxy.yaml").write_text(YAML + "registrar: {max_expires: 864000}\n")
    script = tmp_path / "route.py"
    script.write_text(
        "from siphon import proxy, registrar\n\n@proxy.on_request\ndef route(request):\n"
        "    if request.method == 'REGISTER':\n        registrar.save(request)\n"
        "    else:\n        request.fork(registrar.lookup(request.ruri))\n"
    )
    headers = "Contact: <sip:bob@198.51.100.8:5062>\nExpires: 864000\n"
    trace.udp(request("REGISTER", "sip:example.com", call_id="r", to="<sip:bob@example.com>", headers=headers), BOB)
    trace.wait(2_400_000_000)
    trace.udp(request("MESSAGE", "sip:bob@example.com", call_id="m"))
    assert command("replay", script, trace.write(tmp_path / "t.pcap")) == 0
    assert decided(command)[1] == "relay sip:bob@198.51.100.8:5062  route.py:8"
    assert command.lines[2].startswith("2099-12-")


def test_credentials_of_the_trace_are_stale_unless_trusted(
    command: Command, tmp_path: Path, trace: Recording
) -> None:
    (tmp_path / "siphon-proxy.yaml").write_text(YAML)
    script = tmp_path / "route.py"
    script.write_text(
        "from siphon import auth, proxy\n\n@proxy.on_request\ndef route(request):\n"
        "    if auth.require_proxy_digest(request):\n        request.reply(200, request.auth_user)\n"
    )
    digest = 'Digest username="alice", realm="example.com", nonce="n", uri="sip:example.com", response="0"'
    trace.udp(request("MESSAGE", "sip:bob@example.com", headers=f"Proxy-Authorization: {digest}\n"))
    capture = trace.write(tmp_path / "t.pcap")
    assert command("replay", script, capture) == 0
    assert decided(command) == ["reply 407 Proxy Authentication Required  route.py:5"]
    assert command("replay", script, capture, "--trust-digest") == 0
    assert decided(command) == ["reply 200 alice  route.py:6"]


def test_our_address_is_guessed_or_given(command: Command, script: Path, trace: Recording, tmp_path: Path) -> None:
    # What a proxy sends on arrives somewhere too; it is known by being in all of the talk.
    for n in range(2):
        message = trace.udp(request("INFO", "sip:bob@example.com", call_id=f"c{n}"))
        trace.udp(forwarded(message), NODE, BOB)
    capture = trace.write(tmp_path / "t.pcap")
    assert command("replay", script, capture) == 0
    assert command.lines[0].startswith("our address is 192.0.2.1: 2 of 4 requests")
    assert "2 messages that were not sent to us" in command.lines
    for local in ("198.51.100.8", "198.51.100.8:5062"):
        assert command("replay", script, capture, "--local", local) == 0
        assert command.lines[0] == "our address is 198.51.100.8:5062"
        assert len(decided(command)) == 2
    assert command("replay", script, capture, "--local", "192.0.2.1:5070") == 2
    assert "no request was sent to 192.0.2.1:5070; requests were sent to 192.0.2.1 (2), 198.51.100.8 (2)" in command.err
    assert command("replay", script, capture, "--local", "here") == 2
    assert "give an IP address" in command.err


def test_ipv6_is_replayed(command: Command, script: Path, trace: Recording, tmp_path: Path) -> None:
    trace.udp(request("OPTIONS", "sip:example.com"), ("2001:db8::7", 5060), ("2001:db8::1", 5070))
    capture = trace.write(tmp_path / "t.pcap")
    for local in ([], ["--local", "2001:db8:0::1"], ["--local", "[2001:db8::1]:5070"]):
        assert command("replay", script, capture, *local) == 0
        assert command.lines[0].startswith("our address is ") and "2001:db8::1" in command.lines[0]
        assert command.lines[1].endswith("udp [2001:db8::7]:5060 OPTIONS sip:example.com  reply 200 OK  route.py:6")


def test_json_has_one_object_for_each_line(command: Command, script: Path, trace: Recording, tmp_path: Path) -> None:
    trace.udp(request("INFO", "sip:bob@example.com"))
    trace.udp(b"INVITE sip:b@example.com SIP/2.0\r\nCSeq: 1 BYE\r\n\r\n")
    assert command("replay", script, trace.write(tmp_path / "t.pcap"), "--json") == 0
    first, second = [json.loads(line) for line in command.lines]
    assert first == {
        "time": "2023-11-14T22:13:20+00:00",
        "transport": "udp",
        "source": "198.51.100.7:5062",
        "destination": "192.0.2.1:5060",
        "method": "INFO",
        "uri": "sip:bob@example.com",
        "call_id": "c1",
        "cseq": 1,
        "verdict": {
            "kind": "relay",
            "targets": ["sip:bob@example.com"],
            "sent": [{"uri": "sip:bob@example.com", "transport": "udp", "address": "198.51.100.8:5062"}],
            "line": "route.py:10",
        },
    }
    assert second["verdict"]["kind"] == "malformed" and second["method"] is None
    assert "2 requests" in command.err


def test_what_is_no_sip_is_counted(command: Command, script: Path, trace: Recording, tmp_path: Path) -> None:
    trace.udp(request("OPTIONS", "sip:example.com"))
    trace.udp(bytes(range(128, 160)))
    trace.udp(b"\r\n\r\n")
    trace.tcp(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n")
    assert command("replay", script, trace.write(tmp_path / "t.pcap")) == 0
    assert command.lines[-2:] == ["2 datagrams or connections that are not SIP", "1 keepalives"]


def test_a_truncated_capture_gives_what_is_whole_and_exit_code_2(
    command: Command, script: Path, trace: Recording, tmp_path: Path
) -> None:
    trace.udp(request("OPTIONS", "sip:example.com", call_id="a"))
    trace.udp(request("OPTIONS", "sip:example.com", call_id="b"))
    (tmp_path / "t.pcap").write_bytes(trace.octets()[:-9])
    assert command("replay", script, tmp_path / "t.pcap") == 2
    assert len(decided(command)) == 1
    assert "the file ends in the middle of a packet" in command.err


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        (b"", "the file is empty"),
        (b"From: alice\n" * 20, "neither PCAP nor PCAPNG"),
        (b"\x1f\x8b\x08" + bytes(40), "it is compressed, gunzip it first"),
        (Recording().octets(), "no SIP request in it"),
    ],
)
def test_a_file_that_is_none_of_ours_is_named(
    command: Command, script: Path, tmp_path: Path, octets: bytes, says: str
) -> None:
    (tmp_path / "t").write_bytes(octets)
    assert command("replay", script, tmp_path / "t") == 2
    assert command.err.startswith(f"siphon-sdk: {tmp_path}/t: ") and says in command.err


def test_a_file_that_is_missing_or_wrong_is_named(command: Command, script: Path, tmp_path: Path) -> None:
    assert command("replay", script, tmp_path / "none.pcap") == 2
    assert "none.pcap" in command.err and "No such file" in command.err
    assert command("replay", tmp_path / "none.py", CALLS) == 2
    assert "none.py" in command.err
    script.write_text("from siphon import proxi\n")
    assert command("replay", script, CALLS) == 2
    assert "route.py:1" in command.err
    (tmp_path / "siphon-proxy.yaml").write_text("listne: {}\n")
    assert command("replay", script, CALLS) == 2
    assert "listne" in command.err


def test_a_pipe_is_refused(command: Command, script: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        assert command("replay", script, path) == 2
        assert command.err.startswith(f"siphon-sdk: {path} is no file;")


def test_octets_that_were_changed_make_no_difference_to_the_rest(
    command: Command, script: Path, trace: Recording, tmp_path: Path
) -> None:
    chance = random.Random(5)
    invite = trace.udp(request("INVITE", "sip:bob@example.com"))
    trace.udp(answer(trace.udp(forwarded(invite), NODE, BOB), 486, "Busy Here"), BOB, NODE)
    trace.tcp(request("INFO", "sip:bob@example.com", over="TCP"))
    first = trace.octets()
    trace.wait(100)
    trace.udp(request("OPTIONS", "sip:example.com", call_id="last"))
    whole = trace.octets()
    replayed = 0
    for _ in range(60):
        changed = bytearray(whole)
        for _ in range(chance.choice((1, 5, 30))):
            # What is inside the packets, not what says how long they are.
            place = chance.randrange(24 + 16 + 28, len(first))
            changed[place] = chance.randrange(256) if changed[place] > 64 else changed[place]
        (tmp_path / "t.pcap").write_bytes(changed)
        code = command("replay", script, tmp_path / "t.pcap", "--local", NODE[0], "--call-id", "last")
        if code != 2:
            assert decided(command) == ["reply 200 OK  route.py:6"]
            replayed += 1
    assert replayed > 20


def test_a_recorded_call_is_replayed_as_the_page_shows(tmp_path: Path) -> None:
    page = PAGE.read_text()
    for name in ("relay_all.py", "relay_some.py"):
        (tmp_path / name).write_text((SNIPPETS / name).read_text())
    (tmp_path / "calls.pcapng").write_bytes(CALLS.read_bytes())
    shown = 0
    for command, output in re.findall(r"```sh\nsiphon-sdk (replay [^\n]*)\n```\n+```text\n(.*?)```", page, re.DOTALL):
        done = run(*SDK, *command.split(), cwd=tmp_path)
        assert done.stdout == output, done.stderr
        shown += 1
    assert shown == 2


def test_a_reader_that_went_away_is_no_fault(script: Path, trace: Recording, tmp_path: Path) -> None:
    trace.udp(request("OPTIONS", "sip:example.com"))
    capture = trace.write(tmp_path / "t.pcap")
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        done = run(*SDK, "replay", str(script), str(capture), cwd=tmp_path, stdout=nobody)
    assert (done.returncode, done.stderr) == (0, "")
