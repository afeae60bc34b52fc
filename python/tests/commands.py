"""Commands of the wheel for tests: in this process, or as one of their own."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import IO

import pytest

import siphon_sdk
from siphon_sdk._cli.main import main

# Where `siphon_sdk` and `siphon` are: the wheel's directory, or the source tree.
HOME = Path(siphon_sdk.__file__).parent.parent

SDK = ("-c", "from siphon_sdk._cli.main import run; run()")
"""`siphon-sdk` as arguments of Python."""


class Command:
    """`siphon-sdk`, with what it printed last."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.out = ""
        self.err = ""

    def __call__(self, *arguments: str | Path) -> int:
        self._capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        self.out, self.err = self._capsys.readouterr()
        return code

    @property
    def lines(self) -> list[str]:
        """What it printed."""
        return self.out.splitlines()


def run(
    *arguments: str, cwd: Path, stdout: int | IO[bytes] = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """Runs Python with these arguments, as in a directory of somebody who has the wheel."""
    # What is installed is found without being told, and mypy refuses to be told.
    source = {} if HOME.name == "site-packages" else {"PYTHONPATH": str(HOME), "MYPYPATH": str(HOME)}
    env = {**os.environ, **source}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=cwd, env=env, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=120)


def plugin() -> list[str]:
    """Options of pytest that load the plugin where the wheel is not installed."""
    installed = any(entry.value == "siphon_sdk.pytest_plugin" for entry in entry_points(group="pytest11"))
    return [] if installed else ["-p", "siphon_sdk.pytest_plugin"]
