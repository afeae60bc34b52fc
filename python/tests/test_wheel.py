"""The installed wheel: `siphon-proxy` in the host's interpreter, and other distributions with our import names."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROXY = Path(sys.executable).parent / "siphon-proxy"
SDK = PROXY.with_name("siphon-sdk")
FOREIGN = "'''Weather.'''\n"


@pytest.fixture
def weather(tmp_path: Path) -> dict[str, str]:
    """An environment in which another project's `siphon` comes first."""
    (tmp_path / "siphon").mkdir()
    (tmp_path / "siphon/__init__.py").write_text(FOREIGN)
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def python(code: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)


class Daemon:
    """`siphon-proxy` on its embedded configuration, on ports of the system's choice."""

    def __init__(self, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [PROXY], env={**env, "SIPHON_PORT": "0"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.log = ""
        self.port = int(self.wait_for(r"listens on udp 127\.0\.0\.1:(\d+)"))

    def wait_for(self, pattern: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log += line
            if hit := re.search(pattern, line):
                return hit[1] if hit.groups() else hit[0]
        raise AssertionError(f"the log never says {pattern!r}:\n{self.log}")

    def ends_with(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=60)
        self.log += rest
        return self.process.returncode


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    running = Daemon(dict(os.environ))
    yield running
    running.process.kill()
    running.process.communicate()


def ask(port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(20)
        phone.connect(("127.0.0.1", port))
        here = "%s:%d" % phone.getsockname()
        lines = [
            "OPTIONS sip:siphon.local SIP/2.0",
            f"Via: SIP/2.0/UDP {here};rport;branch=z9hG4bKwheel",
            "Max-Forwards: 70",
            "From: <sip:t@siphon.local>;tag=1",
            "To: <sip:siphon.local>",
            f"Call-ID: wheel@{here}",
            "CSeq: 1 OPTIONS",
            "Content-Length: 0",
        ]
        phone.send("\r\n".join([*lines, "", ""]).encode())
        return phone.recv(65535).decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_in_this_interpreter_until_it_is_told_to_end(daemon: Daemon, number: signal.Signals) -> None:
    assert ask(daemon.port).startswith("SIP/2.0 200 OK\r\n")
    assert daemon.ends_with(number) == 0, daemon.log
    assert "siphon-proxy ended" in daemon.log
    assert "Traceback" not in daemon.log


def test_the_command_has_the_exit_codes_of_the_binary(tmp_path: Path) -> None:
    script = tmp_path / "route.py"
    script.write_text("from siphon import ipsec\n")
    yaml = tmp_path / "siphon-proxy.yaml"
    yaml.write_text("listen: {udp: ['127.0.0.1:0']}\nscript: {path: route.py}\n")
    wrong = subprocess.run([PROXY, "--check", "-c", yaml], capture_output=True, text=True, timeout=60)
    assert wrong.returncode == 2
    assert "route.py:1:20: 'ipsec' is not available in siphon-proxy (available in: siphon-pcscf)" in wrong.stderr
    right = subprocess.run([PROXY, "--check"], capture_output=True, text=True, timeout=60)
    assert (right.returncode, right.stderr) == (0, "")


def test_packages_of_the_environment_are_there_for_scripts(tmp_path: Path) -> None:
    script = tmp_path / "route.py"
    script.write_text("import pytest\nimport helper\nfrom siphon import proxy\n@proxy.on_request\ndef f(request): request.drop()\n")
    (tmp_path / "helper.py").write_text("")
    yaml = tmp_path / "siphon-proxy.yaml"
    yaml.write_text("listen: {udp: ['127.0.0.1:0']}\nscript: {path: route.py}\n")
    found = subprocess.run([PROXY, "--check", "-c", yaml], capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr


def test_a_role_that_is_not_built_is_named() -> None:
    from siphon_sdk import _engine

    with pytest.raises(ValueError, match="no role \"siphon-none\""):
        _engine.main("siphon-none", ["siphon-none"])


def test_another_siphon_is_told_in_one_sentence_and_gives_way(weather: dict[str, str]) -> None:
    found = python("import siphon_sdk, siphon; print(siphon.proxy)", weather)
    assert found.stdout.startswith("<siphon.Proxy"), found.stderr
    told = [line for line in found.stderr.splitlines() if "another project's `siphon`" in line]
    assert len(told) == 1 and weather["PYTHONPATH"] in told[0], found.stderr


def test_another_siphon_that_is_in_use_already_is_told(weather: dict[str, str]) -> None:
    found = python("import siphon, siphon_sdk", weather)
    assert found.returncode == 1
    assert "is imported already, so scripts cannot import ours" in found.stderr.splitlines()[-1]


def test_another_siphon_does_not_stop_the_command(weather: dict[str, str]) -> None:
    running = Daemon(weather)
    try:
        assert ask(running.port).startswith("SIP/2.0 200 OK\r\n")
        assert running.log.count("another project's `siphon`") == 1, running.log
    finally:
        running.ends_with(signal.SIGTERM)


@pytest.fixture
def overwritten(tmp_path: Path) -> dict[str, str]:
    """An environment into which another project's `siphon` was installed over ours: its `__init__.py`, our other files."""
    import siphon

    assert siphon.__file__ is not None
    shutil.copytree(Path(siphon.__file__).parent, tmp_path / "siphon")
    (tmp_path / "siphon/__init__.py").write_text(FOREIGN)
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def test_a_siphon_installed_over_ours_is_told_in_one_sentence_and_scripts_get_ours(overwritten: dict[str, str]) -> None:
    found = python("import siphon_sdk, siphon; print(siphon.proxy)", overwritten)
    assert found.stdout.startswith("<siphon.Proxy"), found.stderr
    told = [line for line in found.stderr.splitlines() if "another project overwrote `siphon`" in line]
    assert len(told) == 1 and overwritten["PYTHONPATH"] in told[0] and "--force-reinstall" in told[0], found.stderr


@pytest.mark.parametrize("command", [[PROXY, "--check"], [SDK, "check", "route.py"]])
def test_the_commands_check_scripts_where_a_siphon_was_installed_over_ours(
    command: list[str | Path], overwritten: dict[str, str], tmp_path: Path
) -> None:
    script = "from siphon import proxy\n@proxy.on_request\ndef f(request): request.drop()\n"
    (tmp_path / "route.py").write_text(script)
    found = subprocess.run(command, cwd=tmp_path, env=overwritten, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stdout + found.stderr
    assert (found.stdout + found.stderr).count("another project overwrote `siphon`") == 1


def test_a_siphon_installed_over_ours_that_is_in_use_already_is_told(overwritten: dict[str, str]) -> None:
    found = python("import siphon, siphon_sdk", overwritten)
    assert found.returncode == 1
    last = found.stderr.splitlines()[-1]
    assert "another project overwrote `siphon` at" in last and "--force-reinstall" in last, found.stderr


def test_another_siphon_sdk_is_told_in_one_sentence(tmp_path: Path) -> None:
    import siphon

    (tmp_path / "siphon_sdk").mkdir()
    (tmp_path / "siphon_sdk/__init__.py").write_text("'''A mock.'''\n")
    assert siphon.__file__ is not None
    shutil.copytree(Path(siphon.__file__).parent, tmp_path / "siphon")
    found = python("import siphon", {**os.environ, "PYTHONPATH": str(tmp_path)})
    assert found.returncode == 1
    last = found.stderr.splitlines()[-1]
    assert "another distribution took that name" in last and str(tmp_path / "siphon_sdk") in last, found.stderr
