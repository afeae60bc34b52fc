"""What runs inside a script: async handlers, virtual time, print, reload, roles, DNS."""

import pdb
import time
from pathlib import Path

import pytest

from siphon_sdk import SipTestHarness


def load(text: str, **given: object) -> SipTestHarness:
    kit = SipTestHarness(**given)  # type: ignore[arg-type]
    kit.load_source(text)
    return kit


def answering(body: str, head: str = "", kind: str = "def", **given: object) -> SipTestHarness:
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    return load(f"from siphon import *\n{head}\n@proxy.on_request\n{kind} route(request):\n{lines}", **given)


@pytest.mark.parametrize(
    ("kind", "head", "wait"),
    [
        ("async def", "", "await timer.sleep(2)"),
        ("async def", "import asyncio", "await asyncio.sleep(2)"),
        ("async def", "import asyncio", "await asyncio.gather(asyncio.sleep(2), asyncio.sleep(1))"),
        ("def", "import time", "time.sleep(2)"),
        ("def", "", "timer.sleep(2)"),
    ],
)
def test_waiting_takes_virtual_time_only(kind: str, head: str, wait: str) -> None:
    kit = answering(f"{wait}\nrequest.reply(200)", head, kind)
    began = time.perf_counter()
    result = kit.send_request("OPTIONS", "sip:localhost")
    assert result.status_code == 200 and result.final is not None
    assert 2.0 <= result.final.at - result.request.at < 2.1
    assert time.perf_counter() - began < 1.0


def test_time_is_the_networks_and_never_the_machines() -> None:
    kit = answering("log.info(str(time.time()))\nrequest.reply(200)", "import time")
    kit.advance(1000)
    kit.send_request("OPTIONS", "sip:localhost")
    assert abs(float(kit.log[-1].text) - kit.now) < 1.0 and abs(kit.now - 1_900_001_000) < 1.0


def test_a_handler_asks_another_server_before_it_answers() -> None:
    body = """
reply = await proxy.send_request("OPTIONS", "sip:hss.example.net", wait_for_response=True)
request.reply(200 if reply and reply.status_code == 200 else 504)
"""
    kit = answering(body, kind="async def")
    hss = kit.ua("hss", address="192.0.2.50:5060")
    kit.dns.add("hss.example.net", "192.0.2.50")
    assert kit.send_request("MESSAGE", "sip:localhost").status_code == 200
    hss.by_hand(status=0)
    assert kit.send_request("MESSAGE", "sip:localhost").status_code == 504


def test_names_exist_unless_the_test_says_otherwise() -> None:
    kit = answering("request.relay()")
    result = kit.send_request("OPTIONS", "sip:somewhere.example.org")
    assert result.next_hop == "sip:somewhere.example.org:5060"
    kit.dns.fail("broken.example.org")
    assert kit.send_request("OPTIONS", "sip:broken.example.org").status_code == 500
    kit.dns.srv("_sip._udp.pool.example.org", "a.pool.example.org", 5070)
    kit.dns.add("a.pool.example.org", "192.0.2.70")
    assert kit.send_request("OPTIONS", "sip:pool.example.org").next_hop == "sip:192.0.2.70:5070"


def test_print_and_logging_land_in_the_log_with_their_line() -> None:
    kit = answering("print('here', request.method)\nlog.warning('there', code=7)\nrequest.reply(200)")
    kit.send_request("OPTIONS", "sip:localhost")
    here, there = kit.log[0], kit.log[1]
    assert not kit.log.errors
    assert (here.level, here.text) == ("info", "here OPTIONS") and here.fields["line"].startswith("<test>")
    assert (there.level, there.fields["code"]) == ("warning", "7")
    kit.log.clear()
    assert len(kit.log) == 0


def test_what_anybody_prints_for_a_script_lands_in_the_log_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "chatty_library.py").write_text("import sys\ndef talk():\n    print('from a', 'library')\n")
    monkeypatch.syspath_prepend(tmp_path)
    body = """
chatty_library.talk()
sys.stdout.write('half ')
sys.stdout.write('a line\\n')
sys.stderr.write('alas\\n')
request.reply(200)"""
    kit = answering(body, "import sys, chatty_library")
    kit.send_request("OPTIONS", "sip:localhost")
    print("from the test")
    said = [(line.level, line.text, line.fields["line"]) for line in kit.log]
    assert said == [
        ("info", "from a library", "chatty_library.py:3"),
        ("info", "half a line", "<test>:7"),
        ("error", "alas", "<test>:8"),
    ]
    assert all(line.call_id for line in kit.log)
    assert capsys.readouterr() == ("from the test\n", "")


def test_what_a_script_says_by_logging_and_warnings_lands_in_the_log_with_its_line() -> None:
    body = """
logging.getLogger('x').info('logged %d', 2)
logging.getLogger('asyncio').info('too quiet')
warnings.warn('warned')
logging.error('bad')
request.reply(200)"""
    kit = answering(body, "import logging, warnings\nwarnings.simplefilter('always')")
    kit.send_request("OPTIONS", "sip:localhost")
    said = [(line.level, line.text, line.fields["line"]) for line in kit.log]
    assert said == [
        ("info", "logged 2", "<test>:6"),
        ("warning", "UserWarning: warned", "<test>:8"),
        ("error", "bad", "<test>:9"),
    ]
    assert all(line.call_id for line in kit.log)


def test_a_reload_replaces_the_script_and_a_broken_one_does_not(tmp_path: Path) -> None:
    script = tmp_path / "route.py"
    text = "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    request.reply({})\n"
    script.write_text(text.format(403))
    kit = SipTestHarness(script)
    assert kit.send_request("OPTIONS", "sip:localhost").status_code == 403
    script.write_text(text.format(405))
    assert kit.reload() == 2
    assert kit.send_request("OPTIONS", "sip:localhost").status_code == 405
    script.write_text("from siphon import nothing_of_the_kind\n")
    with pytest.raises(RuntimeError, match="nothing_of_the_kind"):
        kit.reload()
    assert kit.send_request("OPTIONS", "sip:localhost").status_code == 405


def test_a_script_that_does_not_load_says_file_and_line(tmp_path: Path) -> None:
    script = tmp_path / "route.py"
    script.write_text("from siphon import proxy\nfrom siphon import ipsec\n")
    with pytest.raises(RuntimeError, match=r"route\.py:2.*siphon-pcscf"):
        SipTestHarness(script)
    with pytest.raises(RuntimeError, match="listn"):
        SipTestHarness(config={"listn": {}})
    with pytest.raises(ValueError, match="siphon-pcscf"):
        SipTestHarness(role="siphon-pcscf").send_request("OPTIONS", "sip:localhost")


def test_the_configuration_is_the_daemons(tmp_path: Path) -> None:
    (tmp_path / "route.py").write_text(
        "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    request.reply(200)\n"
    )
    config = tmp_path / "siphon.yaml"
    config.write_text(
        "listen: {udp: ['192.0.2.1:5070']}\nscript: {path: route.py}\nserver: {server_header: unit}\n"
    )
    kit = SipTestHarness(config=config)
    final = kit.send_request("OPTIONS", "sip:192.0.2.1:5070").final
    assert final is not None and (final.source, final["Server"]) == ("192.0.2.1:5070", "unit")


def test_breakpoints_stop_in_the_file_that_the_editor_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "route.py"
    script.write_text(
        "from siphon import proxy\n@proxy.on_request\ndef route(request):\n    breakpoint()\n    request.reply(200)\n"
    )
    stops: list[tuple[str, int]] = []

    class Debugger(pdb.Pdb):
        def user_line(self, frame: object) -> None:
            stops.append((frame.f_code.co_filename, frame.f_lineno))  # type: ignore[attr-defined]
            self.set_continue()

    def hook() -> None:
        import sys

        Debugger(nosigint=True).set_trace(sys._getframe(1))

    monkeypatch.setattr("sys.breakpointhook", hook)
    kit = SipTestHarness(script)
    assert kit.send_request("OPTIONS", "sip:localhost").status_code == 200
    assert stops == [(str(script), 5)]


def test_output_of_the_test_stays_the_tests(capsys: pytest.CaptureFixture[str]) -> None:
    SipTestHarness().send_request("OPTIONS", "sip:localhost")
    print("from the test")
    assert capsys.readouterr().out == "from the test\n"


def test_timers_fire_as_time_passes() -> None:
    kit = load(
        "from siphon import proxy, timer, log\n@timer.every(10)\ndef beat():\n    log.info('beat')\n"
        "@proxy.on_request\ndef route(request):\n    request.reply(200)\n"
    )
    kit.advance(35)
    assert [line.text for line in kit.log].count("beat") == 3


def test_changes_of_bindings_reach_their_handler_however_they_came() -> None:
    kit = load(
        "from siphon import proxy, registrar, log\n@proxy.on_request\ndef route(request):\n    request.reply(200)\n"
        "@registrar.on_change\ndef changed(aor, event_type, contacts):\n    log.info(event_type, contacts=len(contacts))\n"
    )
    kit.registrar.add("sip:bob@example.com", "sip:bob@192.0.2.10", expires=60)
    kit.advance(61)
    assert [line.text for line in kit.log] == ["registered", "expired"]


def test_a_script_asks_a_faked_http_server() -> None:
    kit = answering(
        "with urllib.request.urlopen('http://api.example.net/' + request.ruri.user) as answer:\n"
        "    request.reply(int(answer.read()))",
        "import urllib.request",
    )
    kit.http.add("GET", "http://api.example.net/bob", text="486", delay=1.5)
    result = kit.send_request("INVITE", "sip:bob@example.com")
    assert result.status_code == 486 and result.final is not None
    assert result.final.at - result.request.at > 1.5
    # What is not faked cannot be reached, and the log says how it could be.
    assert kit.send_request("INVITE", "sip:carol@example.com").status_code == 500
    assert "is not faked" in kit.log.errors[-1].text
