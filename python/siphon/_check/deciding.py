"""Decisions along the paths of a handler: none at all, or a second one where one has certainly been made."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .handlers import Handler
from .scope import Scope

_VERBS = {"reply", "relay", "fork", "drop"}
_REPLY_VERBS = {"drop", "reject"}

#: Verbs of a call that decide.
_CALL_VERBS = {"dial", "fork", "answer", "reject", "terminate", "accept_refer", "reject_refer"}
#: Where the INVITE of a call may be edited; the first two where a call may be dialled.
_EDITABLE = ("on_invite", "on_failure")
_UNANSWERED = ("on_invite", "on_early_media", "on_answer", "on_failure")
#: Verbs of a call, and the moments they are for. At others they raise.
_MOMENTS: dict[str, tuple[str, ...]] = {
    "dial": _EDITABLE,
    "fork": _EDITABLE,
    "answer": _EDITABLE,
    "reject": _UNANSWERED,
    "terminate": (*_UNANSWERED, "on_refer"),
    "progress": ("on_invite", "on_early_media", "on_failure"),
    "accept_refer": ("on_refer",),
    "reject_refer": ("on_refer",),
    "refer": ("on_answer", "on_refer"),
    "session_timer": _UNANSWERED,
    "keep_call_id": _UNANSWERED,
    "set_credentials": _UNANSWERED,
    "max_duration": _UNANSWERED,
}
_HIDING = {"restrict_caller_id"}


@dataclass(frozen=True)
class State:
    """How far the decision is on one path: certainly none, one at a line, or not known."""

    name: str
    line: int = 0
    verb: str = ""
    #: An await came after it, so it has left.
    has_left: bool = False


_NO, _MAYBE = State("no"), State("maybe")
States = frozenset[State]
_NOWHERE: States = frozenset()


class _Paths:
    """Follows every path through a function; `subject` is the parameter whose verbs decide."""

    def __init__(self, scope: Scope, handler: Handler, subject: str, verbs: set[str]) -> None:
        self.scope, self.handler, self.subject, self.verbs = scope, handler, subject, verbs
        self.ends: list[tuple[ast.stmt | None, States]] = []
        #: Where `break` and `continue` of the loops around lead.
        self.breaks: list[States] = []
        self.second: dict[int, tuple[ast.Call, State, str]] = {}
        self.late: dict[int, tuple[ast.Call, State]] = {}
        #: What has been seen inside the `try` around, for its handlers.
        self.seen: list[States] = []

    def run(self) -> None:
        out = self.block(self.handler.function.body, frozenset({_NO}))
        if out:
            self.ends.append((None, out))

    def block(self, body: Iterable[ast.stmt], states: States) -> States:
        for statement in body:
            if not states:
                break
            states = self.statement(statement, states)
            self.seen = [seen | states for seen in self.seen]
        return states

    def statement(self, node: ast.stmt, states: States) -> States:
        match node:
            case ast.Return():
                states = self.expression(node.value, states)
                self.ends.append((node, states))
                return _NOWHERE
            case ast.Raise():
                return _NOWHERE
            case ast.Break() | ast.Continue():
                if self.breaks:
                    self.breaks[-1] |= states
                return _NOWHERE
            case ast.If(test=test, body=body, orelse=orelse):
                states = self.expression(test, states)
                return self.block(body, states) | self.block(orelse, states)
            case ast.While(test=test, body=body, orelse=orelse):
                return self.loop(test, body, orelse, states)
            case ast.For() | ast.AsyncFor():
                return self.loop(node.iter, node.body, node.orelse, states)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    states = self.expression(item.context_expr, states)
                # A context manager may swallow what its body raises.
                self.seen.append(states)
                out = self.block(node.body, states)
                return out | self.seen.pop() if out else self.seen.pop()
            case ast.Try() | ast.TryStar():
                return self.tried(node, states)
            case ast.Match(subject=subject, cases=cases):
                states = self.expression(subject, states)
                out = states
                for case in cases:
                    out |= self.block(case.body, states)
                return out
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                return frozenset({_MAYBE}) if self.names(node) else states
            case _:
                return self.expression(node, states)

    def loop(self, head: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt], states: States) -> States:
        states = self.expression(head, states)
        endless = isinstance(head, ast.Constant) and bool(head.value)
        # The first time round tells what later ones begin with; findings are those of any time round.
        ends, second = len(self.ends), dict(self.second)
        self.breaks.append(_NOWHERE)
        states |= self.block(body, states) | self.breaks[-1]
        del self.ends[ends:]
        self.second = second
        through = self.block(body, states)
        left = self.breaks.pop()
        if endless:
            return left
        return self.block(orelse, states | through | left) | left

    def tried(self, node: ast.Try | ast.TryStar, states: States) -> States:
        self.seen.append(states)
        out = self.block(node.body, states)
        anywhere = self.seen.pop()
        out = self.block(node.orelse, out)
        for handler in node.handlers:
            out |= self.block(handler.body, anywhere)
        return self.block(node.finalbody, out) if node.finalbody else out

    def expression(self, node: ast.AST | None, states: States) -> States:
        """What evaluating a node may decide: its verbs, and whatever gets hold of the request."""
        if node is None:
            return states
        match node:
            case ast.Await(value=value):
                states = self.expression(value, states)
                return frozenset(replace(s, has_left=s.name == "decided") for s in states)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=verb)) if (
                name == self.subject and _is_edit(verb)
            ):
                states = self.children(node, states)
                if states and all(s.has_left and s.verb in {"relay", "fork", "dial"} for s in states):
                    self.late[id(node)] = (node, min(states, key=lambda s: s.line))
                return states
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=verb)) if (
                name == self.subject and verb in self.verbs
            ):
                for part in [*node.args, *node.keywords]:
                    states = self.expression(part, states)
                return self.decided(node, verb, states)
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if name == self.subject:
                return frozenset({_MAYBE}) if attr in self.verbs else states
            case ast.Name(id=name) if name in {self.subject, "locals", "vars", "eval", "exec"}:
                return frozenset({_MAYBE})
            case ast.BoolOp() | ast.IfExp() | ast.Lambda() | ast.ListComp() | ast.GeneratorExp():
                # Parts of it may not be evaluated.
                return frozenset({_MAYBE}) if self.verb_in(node) else self.children(node, states)
            case _:
                return self.children(node, states)

    def children(self, node: ast.AST, states: States) -> States:
        for child in ast.iter_child_nodes(node):
            states = self.expression(child, states)
        return states

    def decided(self, node: ast.Call, verb: str, states: States) -> States:
        if states and all(state.name == "decided" for state in states):
            self.second[id(node)] = (node, min(states, key=lambda s: s.line), verb)
            return states
        return frozenset({State("decided", node.lineno, verb)})

    def names(self, node: ast.AST) -> bool:
        return any(isinstance(n, ast.Name) and n.id == self.subject for n in ast.walk(node))

    def verb_in(self, node: ast.AST) -> bool:
        return any(
            isinstance(n, ast.Attribute) and n.attr in self.verbs and self.names(n.value) for n in ast.walk(node)
        )


def _is_edit(verb: str) -> bool:
    """Whether it changes the request that is relayed; after that it raises."""
    plain = verb.startswith(("set_", "remove_", "ensure_", "prepend_")) or verb in {"add_header", "add_path"}
    return plain and "reply" not in verb and verb != "set_credentials"


def check(scope: Scope, handler: Handler) -> None:
    """Follows the paths of one handler."""
    arguments = handler.function.args
    names = [p.arg for p in (*arguments.posonlyargs, *arguments.args)]
    if handler.is_wrapped or not names:
        return
    if handler.event.startswith("b2bua."):
        _of_call(scope, handler, names)
    elif handler.event == "proxy.on_request":
        paths = _follow(scope, handler, names[0], _VERBS)
        if set(handler.methods) != {"ACK"} and not _rebound(handler, names[0]):
            _undecided(scope, handler, paths)
    elif handler.event == "proxy.on_failure":
        _follow(scope, handler, names[0], _VERBS)
        if len(names) > 1:
            for call in _calls(handler, names[1], {"drop"}):
                scope.project.report.error(
                    handler.source.file, call.func, "a failure is a final reply and cannot be dropped: reply, relay or "
                    f"fork with {names[0]}, or do nothing and it goes up",
                )  # fmt: skip
    elif handler.event == "proxy.on_reply":
        if len(names) > 1:
            _follow(scope, handler, names[1], _REPLY_VERBS)
        for call in _calls(handler, names[0], {"relay", "fork", "drop"}):
            scope.project.report.warning(
                handler.source.file, call.func, f"{ast.unparse(call.func)}() has no effect in on_reply: the request is "
                "relayed already; only reply.drop() and reply.reject() change what happens",
            )  # fmt: skip
        _edited(scope, handler, names[0], "edit the reply")
    elif handler.event == "proxy.on_cancel":
        _edited(scope, handler, names[0], "leave it out")
        for call in _calls(handler, names[0], _VERBS):
            scope.project.report.warning(
                handler.source.file, call.func, f"{ast.unparse(call.func)}() has no effect in on_cancel: the caller has "
                "its answer already",
            )  # fmt: skip


def _of_call(scope: Scope, handler: Handler, names: list[str]) -> None:
    """The verbs of a call, each at the moments it is for."""
    moment = handler.event.removeprefix("b2bua.")
    here = {verb for verb, moments in _MOMENTS.items() if moment in moments}
    deciding = here & _CALL_VERBS
    if deciding:
        paths = _follow(scope, handler, names[0], deciding)
        if moment == "on_invite" and not _rebound(handler, names[0]):
            _undecided(scope, handler, paths)
    for call in _calls(handler, names[0], set(_MOMENTS) - here):
        assert isinstance(call.func, ast.Attribute)
        scope.project.report.error(
            handler.source.file, call.func, f"{ast.unparse(call.func)}() raises in {moment}: it belongs to "
            f"{', '.join(_MOMENTS[call.func.attr])}",
        )  # fmt: skip
    if moment not in _EDITABLE:
        edits = {verb for verb in scope.project.surface.classes.get("Call", {}) if _is_edit(verb) or verb in _HIDING}
        for call in _calls(handler, names[0], edits):
            scope.project.report.error(
                handler.source.file, call.func, f"{ast.unparse(call.func)}() raises in {moment}: the INVITE is edited in "
                f"{' and '.join(_EDITABLE)}",
            )  # fmt: skip
    if moment == "on_early_media" and len(names) > 1:
        _follow(scope, handler, names[1], _REPLY_VERBS)
    if moment == "on_answer" and len(names) > 1:
        for call in _calls(handler, names[1], {"drop"}):
            scope.project.report.error(
                handler.source.file, call.func, f"an answer is a final reply and cannot be dropped: {names[1]}.reject() or "
                f"{names[0]}.terminate() ends the call",
            )  # fmt: skip


def _follow(scope: Scope, handler: Handler, subject: str, verbs: set[str]) -> _Paths:
    paths = _Paths(scope, handler, subject, verbs)
    paths.run()
    for call, first, verb in paths.second.values():
        scope.project.report.error(
            handler.source.file,
            call.func,
            f"{subject}.{verb}() comes after {subject}.{first.verb}() in line {first.line}, which stands: "
            "return after the first, or leave one out",
        )
    for call, first in paths.late.values():
        scope.project.report.error(
            handler.source.file,
            call.func,
            f"{ast.unparse(call.func)}() raises: {subject}.{first.verb}() in line {first.line} has left at an await; "
            "edit before it",
        )
    return paths


def _undecided(scope: Scope, handler: Handler, paths: _Paths) -> None:
    nothing = frozenset({_NO})
    what, verbs = "request", "reply, relay, fork or drop it"
    if handler.event == "b2bua.on_invite":
        what, verbs = "call", "dial, fork, answer, reject or terminate it"
    ends = [(node, states) for node, states in paths.ends if states]
    if ends and all(states == nothing for _, states in ends):
        scope.project.report.error(
            handler.source.file,
            handler.line,
            f"{handler.function.name} decides nothing, so every {what} is answered 500: {verbs}",
        )
        return
    for node, states in ends:
        if node is not None and states == nothing:
            scope.project.report.warning(
                handler.source.file,
                node,
                f"nothing is decided before this return, so the {what} is answered 500: {verbs}",
            )


def _edited(scope: Scope, handler: Handler, subject: str, advice: str) -> None:
    """Edits of a request that was relayed before the handler was called."""
    verbs = {verb for verb in scope.project.surface.classes.get("Request", {}) if _is_edit(verb)}
    for call in _calls(handler, subject, verbs):
        scope.project.report.error(
            handler.source.file,
            call.func,
            f"{ast.unparse(call.func)}() raises in {handler.event.partition('.')[2]}: the request is relayed already; "
            f"{advice}",
        )


def _rebound(handler: Handler, subject: str) -> bool:
    """Whether a nested scope or another name may hold the request in ways not followed."""
    return any(
        isinstance(node, ast.Name) and node.id == subject and not isinstance(node.ctx, ast.Load)
        for node in ast.walk(handler.function)
    )


def _calls(handler: Handler, subject: str, verbs: set[str]) -> Iterable[ast.Call]:
    for node in ast.walk(handler.function):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=verb)) if (
                name == subject and verb in verbs and not _rebound(handler, subject)
            ):
                yield node
