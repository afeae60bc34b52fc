"""The commands of the wheel: each runs a role in this interpreter, as the binary of that name does."""

import os
import signal
import sys

from . import _engine


def _main(role: str) -> None:
    # The engine watches for signals itself. Python's handler for Ctrl-C would raise once it came back.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.stdout.flush()
    code = _engine.main(role, [role, *sys.argv[1:]])
    # As the binary does: threads of shards and of scripts end with the process, not by finalising under them.
    os._exit(code)


def proxy() -> None:
    """`siphon-proxy`."""
    _main("siphon-proxy")


def sbc() -> None:
    """`siphon-sbc`."""
    _main("siphon-sbc")
