"""`siphon-sdk check SCRIPT`: what is wrong in a script, as the role's own `--check` says it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .. import _check
from .._setup import ROLES, smallest_role
from .trouble import Trouble, text_of

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add(commands: _Commands) -> None:
    """Makes the command known."""
    parser = commands.add_parser(
        "check",
        help="say what is wrong in a script",
        description="Looks through a script, and imports it without doing what it asks for. "
        "With its YAML: siphon-proxy --config FILE --check.",
        epilog="Exit codes: 0 nothing wrong, warnings at most; 2 something is.",
    )
    parser.add_argument("script", type=Path, metavar="SCRIPT")
    parser.add_argument("--role", choices=ROLES, help="who is to run it [default: the smallest that has its names]")
    parser.add_argument(
        "--include-path", action="append", type=Path, default=[], metavar="DIR", help="as script.include_paths"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    role = options.role or smallest_role(_readable(options.script))
    problems = _check.check(options.script, role, options.include_path)
    for problem in problems:
        print(problem)
    if not problems:
        print(f"{options.script}: nothing wrong")
    return 2 if any(problem.severity == "error" for problem in problems) else 0


def _readable(script: Path) -> str:
    try:
        return text_of(script)
    except Trouble:
        # The check says it, in the words of the role's own.
        return ""
