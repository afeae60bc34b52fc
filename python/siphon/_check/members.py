"""Attributes: ones that do not exist, methods that are not called, values that are, and assignments."""

from __future__ import annotations

import ast

from .. import _surface
from .finding import absent, shown
from .kinds import CLASS, FUNCTION, METHOD, MODULE, SIPHON, Kind, attributes, is_awaitable
from .scope import Scope
from .stub import Member


def attribute(scope: Scope, node: ast.Attribute) -> None:
    """A value is asked for an attribute that it does not have."""
    owner = scope.kind(node.value)
    if owner is None or node.attr in scope.source.probed or node.attr.startswith("__"):
        return
    error = scope.project.report.error
    if is_awaitable(owner):
        error(scope.source.file, node, f"{shown(node.value)} is not there yet: write (await {shown(node.value)})")
    elif owner == SIPHON:
        _of_siphon(scope, node)
    elif owner.name == METHOD and not hasattr(len, node.attr):
        text = shown(node.value)
        error(scope.source.file, node, f"{text} is a method and has no attributes: call it, {text}(…)")
    elif owner.name not in {CLASS, MODULE, FUNCTION, METHOD}:
        known = members(scope, owner)
        if known is not None and node.attr not in known:
            error(scope.source.file, node, _missing(scope, node, owner, known))


def members(scope: Scope, owner: Kind) -> set[str] | None:
    """Every attribute that a value of that kind has; None when that is not known."""
    surface = scope.project.surface
    if owner.name in surface.open_classes:
        return None
    if owner.name in surface.classes:
        return set(surface.classes[owner.name]) | set(dir(object))
    return attributes(owner.name)


def _of_siphon(scope: Scope, node: ast.Attribute) -> None:
    why = scope.project.why_absent(node.attr)
    if why:
        scope.project.report.error(scope.source.file, node, why)


def _missing(scope: Scope, node: ast.Attribute, owner: Kind, known: set[str]) -> str:
    surface = scope.project.surface
    kind, text = surface.spoken(owner.name), shown(node.value)
    reason = _surface.ABSENT.get(kind, {}).get(node.attr)
    if reason:
        return f"{text}.{node.attr} is not in this version: {reason}"
    if owner.name in surface.namespaces.values():
        return absent(kind, node.attr, known)
    if text == "this" or isinstance(node.value, ast.Call | ast.Constant | ast.BinOp):
        text = f"a {kind}"
    elif text.lower() != kind.lower():
        text = f"{text} ({kind})"
    return absent(text, node.attr, known)


def assignment(scope: Scope, node: ast.Attribute) -> None:
    """A value is given to an attribute that takes none."""
    owner = scope.kind(node.value)
    if owner is None:
        return
    known = scope.project.surface.classes.get(owner.name)
    if known is None or owner.name in scope.project.surface.open_classes:
        return
    member = known.get(node.attr)
    if member and member.is_settable:
        return
    text = f"{shown(node.value)}.{node.attr}"
    setter = known.get(f"set_{node.attr}")
    if setter and not setter.is_property:
        advice = f": call {shown(node.value)}.{setter.name}(…)"
    elif member is None:
        near = absent(shown(node.value), node.attr, (n for n, m in known.items() if m.is_settable))
        advice = f": {near}; keep what is yours in variables of your own"
    else:
        advice = _setter_of_part(scope, node)
    scope.project.report.error(scope.source.file, node, f"{text} cannot be assigned{advice}")


def _setter_of_part(scope: Scope, node: ast.Attribute) -> str:
    """`request.ruri.user` is set by `request.set_ruri_user`."""
    if isinstance(node.value, ast.Attribute):
        name = f"set_{node.value.attr}_{node.attr}"
        if _member(scope, node.value.value, name):
            return f": call {shown(node.value.value)}.{name}(…)"
    return ": it is read only"


def called(scope: Scope, node: ast.Call) -> None:
    """A value is called as if it were a method."""
    match node.func:
        case ast.Attribute(value=value, attr=name):
            member = _member(scope, value, name)
        case _:
            return
    if member and member.is_property:
        result = ast.unparse(member.returns) if member.returns else ""
        if "Callable" not in result:
            text = shown(node.func)
            scope.project.report.error(
                scope.source.file, node.func, f"{text} is a value, not a method: write {text} without ()"
            )


def _member(scope: Scope, value: ast.expr, name: str) -> Member | None:
    owner = scope.kind(value)
    return scope.project.surface.classes.get(owner.name, {}).get(name) if owner else None


def truth(scope: Scope, node: ast.expr) -> None:
    """A condition that is a method, which is always true, or an awaitable, which has no truth value."""
    kind = scope.kind(node)
    if kind is None:
        return
    if kind.name == METHOD or (kind.name == FUNCTION and not isinstance(node, ast.Name)):
        text = shown(node)
        scope.project.report.error(
            scope.source.file, node, f"{text} without () is always true: write {text}({_parameters(kind)})"
        )
    elif is_awaitable(kind):
        text = shown(node)
        scope.project.report.error(
            scope.source.file, node, f"{text} has no truth value before it is awaited: write await {text}"
        )


def statement(scope: Scope, node: ast.expr) -> None:
    """An expression whose value nobody takes: a method that is not called, an awaitable that is not awaited."""
    report, file = scope.project.report, scope.source.file
    kind = scope.kind(node)
    if kind is None:
        return
    text = shown(node)
    if kind.name == METHOD:
        report.error(file, node, f"{text} without () does nothing: write {text}({_parameters(kind)})")
    elif is_awaitable(kind) and isinstance(node, ast.Call) and not _needs_no_await(scope, node):
        if kind.name == "coroutine":
            advice = f"write await {text}" if scope.is_async else "call it from an async def with await"
            report.error(file, node, f"{text} is an async def and never runs without await: {advice}")
        else:
            report.error(file, node, f"{text} is not awaited: write await {text}")


def _needs_no_await(scope: Scope, node: ast.Call) -> bool:
    """`send_request` that waits for nothing leaves with the verdict, awaited or not."""
    kind = scope.kind(node.func)
    if kind is None or kind.member is None or kind.member.name != "send_request":
        return False
    return not any(k.arg in {"wait_for_response", None} for k in node.keywords) and len(node.args) < 6


def awaited(scope: Scope, node: ast.Await) -> None:
    """Awaiting what is no awaitable."""
    kind = scope.kind(node.value)
    known = kind is not None and not is_awaitable(kind) and kind.name not in scope.project.surface.open_classes
    if known and isinstance(node.value, ast.Call):
        text = shown(node.value.func)
        scope.project.report.error(
            scope.source.file, node, f"{text}() gives its result at once and cannot be awaited: leave out await"
        )


def _parameters(kind: Kind) -> str:
    if kind.member and any(p.required for p in kind.member.parameters):
        return "…"
    return ""


