"""`siphon-sdk new ROLE DIR`: a script with its configuration and its test to start from.

The script is the one the role runs when it is given none; the rest are the files in `template/`.
"""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from .._engine import embedded
from .trouble import Trouble

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]

# The script's first line, in the role and here.
_EMBEDDED = '"""The script of a siphon-proxy that was given none.\n'
_WRITTEN = '"""What siphon-proxy does with each request.\n'

_FILES = ("siphon-proxy.yaml", "test_route.py", "pyproject.toml", "README.md")


def add(commands: _Commands) -> None:
    """Makes the command known."""
    parser = commands.add_parser("new", help="write a script, its configuration and its test to start from")
    parser.add_argument("role", choices=["proxy"], help="which role it is for")
    parser.add_argument("directory", type=Path, metavar="DIR", help="where; nothing in it is overwritten")
    parser.set_defaults(run=_run)


def contents() -> dict[str, str]:
    """The files of a new project, by name."""
    script, _ = embedded("siphon-proxy")
    if not script.startswith(_EMBEDDED):
        raise AssertionError("the role's own script begins in another way than it did")
    folder = files("siphon_sdk") / "_cli" / "template" / "proxy"
    made = {"route.py": _WRITTEN + script.removeprefix(_EMBEDDED)}
    made |= {name: (folder / name).read_text(encoding="utf-8") for name in _FILES}
    return made


def _run(options: argparse.Namespace) -> int:
    directory: Path = options.directory
    made = contents()
    there = [name for name in made if (directory / name).exists()]
    if there:
        raise Trouble(f"{directory / there[0]} is there already; nothing was written")
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in made.items():
            # "x": whoever made the file meanwhile keeps it.
            with open(directory / name, "x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        raise Trouble(f"cannot write to {directory}: {error.strerror}") from error
    for name in made:
        print(directory / name)
    print(f"\nNext: cd {directory}; pytest; siphon-proxy --config siphon-proxy.yaml")
    return 0
