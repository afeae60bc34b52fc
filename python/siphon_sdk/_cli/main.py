"""`siphon-sdk COMMAND`: what a writer of scripts does outside the editor.

Exit codes: 0 all well; 1 a handler failed, or verdicts differ; 2 the command line or a file is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from .. import __version__
from . import check, new, replay
from .trouble import Trouble


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line without the process around it; gives the exit code."""
    parser = argparse.ArgumentParser(prog="siphon-sdk", description="For those who write scripts for siphon.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (new, check, replay):
        command.add(commands)
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except Trouble as trouble:
        sys.stdout.flush()
        print(f"siphon-sdk: {trouble}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read us has seen enough. What is still in the buffer must not be written when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def run() -> None:
    """The console script."""
    sys.exit(main())
