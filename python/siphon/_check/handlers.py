"""Handlers: which function is called for what, whether it can be, and whether it ever is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from .kinds import INT, STR, Kind, annotated
from .project import Project
from .scope import Scope
from .source import Function, Source

#: What handlers are called with. `Event` of the daemon says the same, and a test compares them.
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "proxy.on_request": ("request",),
    "proxy.on_reply": ("request", "reply"),
    "proxy.on_failure": ("request", "reply"),
    "proxy.on_cancel": ("request",),
    "b2bua.on_invite": ("call",),
    "b2bua.on_early_media": ("call", "reply"),
    "b2bua.on_answer": ("call", "reply"),
    "b2bua.on_failure": ("call", "code", "reason"),
    "b2bua.on_bye": ("call", "initiator"),
    "b2bua.on_refer": ("call",),
    "b2bua.on_cancel": ("call",),
    "registrar.on_change": ("aor", "event_type", "contacts"),
    "timer": (),
}
_KINDS: dict[str, Kind] = {
    "request": Kind("Request"),
    "reply": Kind("Reply"),
    "call": Kind("Call"),
    "code": INT,
    "reason": STR,
    "initiator": Kind("ByeInitiator"),
    "aor": STR,
    "event_type": STR,
    "contacts": Kind("list", Kind("Contact")),
}
_CALLBACKS = {"on_reply": "proxy.on_reply", "on_failure": "proxy.on_failure"}
METHODS = frozenset({
    "INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO", "REFER",
    "MESSAGE", "UPDATE",
})  # fmt: skip


@dataclass(frozen=True)
class Handler:
    """A function that is called for an event."""

    event: str
    function: Function
    source: Source
    #: The methods it asks for; empty for all.
    methods: tuple[str, ...] = ()
    #: Given to `relay`, `fork` or `timer.set`, not registered.
    is_callback: bool = False
    #: Another decorator changes what our decorator gets.
    is_wrapped: bool = False

    @property
    def line(self) -> int:
        """The line that the daemon names too: of the first decorator, or of the `def`."""
        return min([self.function.lineno, *(d.lineno for d in self.function.decorator_list)])

    def given(self, project: Project) -> dict[str, Kind | None]:
        """The kinds of its parameters."""
        arguments = self.function.args
        plain = [*arguments.posonlyargs, *arguments.args]
        if self.is_wrapped:
            return {}
        kinds: dict[str, Kind | None] = {}
        for parameter, name in zip(plain, ARGUMENTS[self.event], strict=False):
            stated = annotated(parameter.annotation, project.surface)
            kinds[parameter.arg] = stated or _KINDS[name]
        return kinds


def event_of(scope: Scope, decorator: ast.expr) -> tuple[str, ast.Call | None] | None:
    """The event that a decorator, or a call that registers, is for."""
    called = decorator if isinstance(decorator, ast.Call) else None
    kind = scope.kind(called.func if called else decorator)
    if kind is None or kind.member is None:
        return None
    name = f"{scope.project.surface.spoken(kind.member.owner)}.{kind.member.name}"
    if name == "timer.every":
        return ("timer", called)
    return (name, called) if name in ARGUMENTS else None


def handlers(scope: Scope, source: Source) -> Iterator[Handler]:
    """Every handler of a file: registered ones, and callbacks given by name."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for n, decorator in enumerate(node.decorator_list):
                found = event_of(scope, decorator)
                if found:
                    wrapped = n + 1 < len(node.decorator_list)
                    methods = _methods(found[1]) if found[0] == "proxy.on_request" else ()
                    yield Handler(found[0], node, source, methods, is_wrapped=wrapped)
        elif isinstance(node, ast.Call):
            yield from _registered(scope, source, node)
            if isinstance(node.func, ast.Attribute):
                yield from _callbacks(scope, source, node, node.func.attr)


def registers(scope: Scope, source: Source) -> bool:
    """Whether the file registers anything, be it in a way that is not followed further."""
    calls = (node for node in ast.walk(source.tree) if isinstance(node, ast.Call))
    return any(event_of(scope, call) for call in calls)


def _registered(scope: Scope, source: Source, call: ast.Call) -> Iterator[Handler]:
    """`proxy.on_request(route)` and `proxy.on_request("INVITE")(route)`, written as calls."""
    decorator = call.func if isinstance(call.func, ast.Call) else call
    found = event_of(scope, decorator)
    if found is None or len(call.args) != 1 or (found[0] == "timer" and decorator is call):
        return
    methods = _methods(decorator) if found[0] == "proxy.on_request" and decorator is not call else ()
    for handler in _named(scope, source, call.args[0], found[0]):
        yield Handler(handler.event, handler.function, source, methods)


def _methods(call: ast.Call | None) -> tuple[str, ...]:
    match call:
        case ast.Call(args=[ast.Constant(value=str(text))]):
            return tuple(name.strip() for name in text.split("|"))
        case ast.Call(args=[_, *_]) | ast.Call(keywords=[_, *_]):
            return ("?",)
        case _:
            return ()


def _callbacks(scope: Scope, source: Source, call: ast.Call, verb: str) -> Iterator[Handler]:
    if verb in {"relay", "fork"}:
        for keyword in call.keywords:
            if keyword.arg in _CALLBACKS:
                yield from _named(scope, source, keyword.value, _CALLBACKS[keyword.arg])
    elif verb == "set" and len(call.args) == 3:
        kind = scope.kind(call.func)
        if kind and kind.member and kind.member.owner == scope.project.surface.namespaces.get("timer"):
            yield from _named(scope, source, call.args[2], "timer")


def _named(scope: Scope, source: Source, value: ast.expr, event: str) -> Iterator[Handler]:
    kind = scope.kind(value)
    if kind and isinstance(kind.node, ast.FunctionDef | ast.AsyncFunctionDef) and kind.node_name == source.name:
        yield Handler(event, kind.node, source, is_callback=True)


def wrong_signature(handler: Handler) -> str | None:
    """Says why a function cannot be called for its event."""
    if handler.is_wrapped:
        return None
    node, names = handler.function, ARGUMENTS[handler.event]
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    required = len(plain) - len(arguments.defaults)
    missing = any(default is None for default in arguments.kw_defaults)
    if required <= len(names) and (len(names) <= len(plain) or arguments.vararg) and not missing:
        return None
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    expected = ", ".join(names)
    return (
        f"{node.name} takes ({ast.unparse(arguments)}), but {handler.event} calls it with ({expected}): "
        f'write "{kind} {node.name}({expected}):"'
    )


def check(project: Project, found: list[Handler]) -> None:
    """Signatures, filters, and handlers that stand in each other's way."""
    first: dict[str, Handler] = {}
    for handler in found:
        wrong = wrong_signature(handler)
        if wrong:
            project.report.error(handler.source.file, handler.line, wrong)
        if handler.is_callback or handler.event in {"timer", "registrar.on_change"}:
            continue
        places = [f"{handler.event} {m}" for m in handler.methods or ("",)]
        for place in places:
            other = first.setdefault(place, handler)
            if other is handler or place.endswith("?"):
                continue
            about = f"{handler.event}({place.split()[-1]!r})" if handler.methods else f"@{handler.event}"
            project.report.error(
                handler.source.file,
                handler.line,
                f"{handler.function.name} is never called: {about.replace(chr(39), chr(34))} is taken by "
                f"{other.function.name} in line {other.line}{_where(handler, other)}; make them one handler",
            )
            break


def _where(handler: Handler, other: Handler) -> str:
    return "" if handler.source is other.source else f" of {other.source.file}"
