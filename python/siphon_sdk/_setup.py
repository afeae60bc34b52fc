"""What a harness is given, turned into what the engine loads: script, role, YAML."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from siphon import _surface

from ._engine import roles

Config: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any] | None"

# Roles that this version runs, the one with the fewest names of `siphon` first.
ROLES: tuple[str, ...] = tuple(
    sorted(roles(), key=lambda role: sum(role in offering for offering in _surface.NAMESPACES.values()))
)

# Where the node listens when a configuration made for a test does not say.
_LISTEN: dict[str, list[str]] = {"udp": ["10.0.0.1:5060"], "tcp": ["10.0.0.1:5060"]}


class Script:
    """A script: a file, or a text under a name."""

    def __init__(self, path: Path | None = None, text: str | None = None, name: str = "<test>") -> None:
        self.path = path
        self._text = text
        self._name = name

    @property
    def file(self) -> str | None:
        """The file, as breakpoints of an editor know it."""
        return None if self.path is None else str(self.path)

    @property
    def inline(self) -> tuple[str, str] | None:
        """Name and text of a script that is no file."""
        return None if self._text is None else (self._name, self._text)

    def read(self) -> str:
        """The text; empty when it cannot be read, which is for the engine to say."""
        if self._text is not None:
            return self._text
        try:
            return "" if self.path is None else self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return ""


def smallest_role(script: str) -> str:
    """The smallest role of this version whose names cover what the script imports from `siphon`."""
    try:
        tree = ast.parse(script)
    except SyntaxError:
        return ROLES[0]
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "siphon"
        for alias in node.names
    }
    # A type that comes with a namespace is in the roles that have that.
    named = {_surface.COMES_WITH.get(name, name) for name in imported}
    needed = [offering for name, offering in _surface.NAMESPACES.items() if name in named]
    covering = [role for role in ROLES if all(role in offering for offering in needed)]
    # None covers it: the import itself says which role would.
    return covering[0] if covering else ROLES[0]


class Yaml:
    """The configuration: text, what messages call it, and the file that relative paths count from."""

    def __init__(self, text: str | None, name: str, file: Path | None) -> None:
        self.text, self.name, self.file = text, name, file


def yaml_of(config: Config, users: Mapping[str, str] | None, domains: Iterable[str] | None) -> Yaml:
    """Reads what a test gives as `config`, with `users` and `domains` put in."""
    if isinstance(config, str) and ("\n" in config or ":" in config) and not os.path.exists(config):
        if users or domains:
            raise TypeError("users= and domains= go with a dict or without config=; this config is a text")
        listens = any(line.startswith("listen:") for line in config.splitlines())
        # On the last line, so that lines of messages count as the test wrote them.
        text = config if listens else f"{config.rstrip()}\nlisten: {json.dumps(_LISTEN)}\n"
        return Yaml(text, "<config>", None)
    if isinstance(config, (str, os.PathLike)):
        if users or domains:
            raise TypeError("users= and domains= go with a dict or without config=; this config is a file")
        path = Path(config).absolute()
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            # What the daemon says.
            raise FileNotFoundError(f"{config}: cannot read it: no such file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{config}: cannot read it: {error}") from error
        return Yaml(text, str(config), path)
    if config is None and not users and not domains:
        return Yaml(None, "", None)
    tree: dict[str, Any] = dict(config or {})
    tree.setdefault("listen", _LISTEN)
    if domains:
        domain = dict(tree.get("domain") or {})
        domain["local"] = [*domain.get("local", []), *domains]
        tree["domain"] = domain
    if users:
        auth = dict(tree.get("auth") or {})
        auth["users"] = {**auth.get("users", {}), **users}
        tree["auth"] = auth
    return Yaml(json.dumps(tree, default=str, indent=1), "<config>", None)
