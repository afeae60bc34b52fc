"""Calls that stop a whole shard: blocking ones inside an `async def`."""

from __future__ import annotations

import ast

from .kinds import MODULE
from .scope import Scope

_ASYNCIO = 'run it with "await asyncio.to_thread(…)" or use an asyncio library'
#: Calls that block, and what to write instead.
_BLOCKING = {
    "time.sleep": "write await timer.sleep(…)",
    "os.system": _ASYNCIO,
    "subprocess.run": _ASYNCIO,
    "subprocess.call": _ASYNCIO,
    "subprocess.check_call": _ASYNCIO,
    "subprocess.check_output": _ASYNCIO,
    "urllib.request.urlopen": _ASYNCIO,
    "socket.getaddrinfo": _ASYNCIO,
    "socket.gethostbyname": _ASYNCIO,
    "socket.create_connection": _ASYNCIO,
    **{f"requests.{verb}": _ASYNCIO for verb in ("get", "post", "put", "patch", "delete", "head", "request")},
}
_COROUTINES = {"asyncio.sleep", "asyncio.wait_for", "asyncio.wait"}


def dotted(scope: Scope, node: ast.expr) -> str:
    """The full name of what is called, through the imports of the file: `sleep` may be `time.sleep`."""
    match node:
        case ast.Name(id=name):
            kind = scope.named(name)
            if kind and kind.name == MODULE:
                return kind.node_name
            return _imported(scope, name)
        case ast.Attribute(value=value, attr=attr):
            owner = dotted(scope, value)
            return f"{owner}.{attr}" if owner else ""
        case _:
            return ""


def _imported(scope: Scope, name: str) -> str:
    at: Scope | None = scope
    while at and name not in at.found:
        at = at.parent
    match at.found[name] if at else []:
        case [only] if isinstance(only.node, ast.ImportFrom) and only.alias and not only.node.level:
            return f"{only.node.module}.{only.alias.name}"
        case _:
            return ""


def call(scope: Scope, node: ast.Call) -> None:
    """A blocking call in an `async def`."""
    if not scope.is_async:
        return
    name = dotted(scope, node.func)
    if name not in _BLOCKING:
        return
    text = f"{name}() in an async def stops every call of its shard: {_BLOCKING[name]}"
    if name == "time.sleep":
        scope.project.report.error(scope.source.file, node, text)
    else:
        scope.project.report.warning(scope.source.file, node, text)


def dropped(scope: Scope, node: ast.expr) -> None:
    """A coroutine of asyncio that nobody awaits."""
    if isinstance(node, ast.Call) and (name := dotted(scope, node.func)) in _COROUTINES:
        scope.project.report.error(
            scope.source.file, node, f"{name}() never runs without await: write await {name}(…)"
        )
