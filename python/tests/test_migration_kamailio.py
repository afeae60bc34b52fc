"""The rows of the migration table against Kamailio and against our daemon: what the peers see is the same."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import migration_rows  # noqa: F401 - enters the rows
import pytest
from migration import ROWS, WHO, Row, SocketWire
from test_migration import CONFIG, SCRIPT

OURS = "import sys; from siphon_sdk import _roles; sys.argv = ['siphon-proxy', *sys.argv[1:]]; _roles.proxy()"

SHARED = [row for row in ROWS if row.in_kamailio]

# A server gets so long to begin to answer.
STARTING = 60.0


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as spare:
        spare.bind(("127.0.0.1", 0))
        return int(spare.getsockname()[1])


def kamailio(port: int, folder: Path) -> list[str]:
    """Kamailio's command line; its blocks are in scripts/migrated.cfg."""
    binary = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
    assert binary, "Kamailio is not installed: packaging/setup.sh test does that"
    modules = next(iter(sorted(Path("/usr/lib").glob("**/kamailio/modules"))), None)
    assert modules, "Kamailio's modules are not below /usr/lib"
    text = SCRIPT.with_name("migrated.cfg").read_text(encoding="utf-8")
    config = folder / "kamailio.cfg"
    config.write_text(text.replace("@PORT@", str(port)).replace("@MODULES@", str(modules)), encoding="utf-8")
    return [binary, "-DD", "-E", "-m", "32", "-M", "4", "-Y", str(folder), "-f", str(config)]


def ours(port: int, folder: Path) -> list[str]:
    """The command of the wheel, with the script of the kit's tests."""
    config = folder / "siphon-proxy.yaml"
    listen = f'listen: {{udp: ["127.0.0.1:{port}"]}}'
    head, _, rest = CONFIG.partition("\ndomain:")
    assert head.strip().startswith("listen:")
    config.write_text(f"{listen}\nscript: {{path: '{SCRIPT}'}}\ndomain:{rest}", encoding="utf-8")
    return [sys.executable, "-c", OURS, "--config", str(config)]


@pytest.fixture(scope="module", params=["kamailio", "siphon-proxy"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SocketWire]:
    """One of the two, running, with a client and two next hops around it."""
    folder = tmp_path_factory.mktemp("server")
    sockets = {who: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for who in WHO}
    for each in sockets.values():
        each.bind(("127.0.0.1", 0))
    port = free_port()
    command = (kamailio if request.param == "kamailio" else ours)(port, folder)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    wire = SocketWire(port, sockets)
    end = time.monotonic() + STARTING
    try:
        while not wire.is_there():
            said = (folder / "log").read_text(errors="replace")
            assert process.poll() is None, f"{request.param} ended:\n{said}"
            assert time.monotonic() < end, f"{request.param} does not answer:\n{said}"
        yield wire
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        for each in sockets.values():
            each.close()


@pytest.mark.parametrize("row", SHARED, ids=lambda row: row.name)
def test_peers_see_the_same(server: SocketWire, row: Row) -> None:
    server.begin(row.name)
    assert row.play(server) == row.seen
