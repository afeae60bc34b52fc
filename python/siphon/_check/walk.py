"""Walks a file scope by scope and hands each node to the rules about it."""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace

from . import arguments, imports, literals, members, stored, waiting
from .handlers import Handler
from .kinds import Kind, annotated
from .scope import Gives, Scope, comprehension
from .source import Comprehension, Function, Source, bindings, parameters


@dataclass(frozen=True)
class Guard:
    """What the code around a node has said it can cope with."""

    attributes: bool = False
    imports: bool = False


class Walk:
    """One file."""

    def __init__(self, module: Scope, source: Source, handlers: list[Handler]) -> None:
        self.module, self.source = module, source
        self.roles: dict[Function, list[Handler]] = {}
        for handler in handlers:
            if handler.source is source:
                self.roles.setdefault(handler.function, []).append(handler)

    def run(self) -> None:
        for statement in self.source.tree.body:
            self.visit(statement, self.module, Guard())

    def visit(self, node: ast.AST, scope: Scope, guard: Guard) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node, scope, guard)
                return
            case ast.Lambda():
                given: dict[str, Kind | None] = {p.arg: None for p in parameters(node.args)}
                self.visit(node.body, scope.inner(given), guard)
                return
            case ast.ClassDef():
                for part in [*node.decorator_list, *node.bases, *node.keywords]:
                    self.visit(part, scope, guard)
                inner = Scope(scope.project, self.source, bindings(node), scope, gives=scope.gives)
                for statement in node.body:
                    self.visit(statement, inner, guard)
                return
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._comprehension(node, scope, guard)
                return
            case ast.Try() | ast.TryStar():
                inside = _caught(node, guard)
                for statement in node.body:
                    self.visit(statement, scope, inside)
                for rest in [*node.handlers, *node.orelse, *node.finalbody]:
                    self.visit(rest, scope, guard)
                return
            case ast.With() if any("suppress" in ast.unparse(i.context_expr) for i in node.items):
                guard = Guard(attributes=True, imports=True)
            case ast.If(test=test) if "TYPE_CHECKING" in ast.unparse(test):
                guard = replace(guard, imports=True)
            case _:
                pass
        self._rules(node, scope, guard)
        for child in ast.iter_child_nodes(node):
            self.visit(child, scope, guard)

    def _rules(self, node: ast.AST, scope: Scope, guard: Guard) -> None:
        match node:
            case ast.Attribute(ctx=ast.Load()) if not guard.attributes:
                members.attribute(scope, node)
            case ast.Attribute(ctx=ast.Store() | ast.Del()):
                members.assignment(scope, node)
            case ast.Call():
                self._call(node, scope)
            case ast.Expr(value=value):
                members.statement(scope, value)
                waiting.dropped(scope, value)
            case ast.Await():
                members.awaited(scope, node)
            case ast.Compare():
                literals.compare(scope, node)
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) | ast.Assert(test=test):
                _truth(scope, test)
            case ast.BoolOp(values=values):
                for value in values[:-1]:
                    _truth(scope, value)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                _truth(scope, operand)
            case ast.Import() if not guard.imports:
                imports.imported(scope, node)
            case ast.ImportFrom() if not guard.imports:
                imports.imported_from(scope, node)
            case _:
                pass

    def _call(self, node: ast.Call, scope: Scope) -> None:
        members.called(scope, node)
        waiting.call(scope, node)
        stored.call(scope, node)
        found = arguments.bound(scope, node)
        if found:
            arguments.values(scope, node, *found)
            literals.check(scope, node, *found)

    def _comprehension(self, node: Comprehension, scope: Scope, guard: Guard) -> None:
        inner = comprehension(scope, node)
        for generator in node.generators:
            self.visit(generator.iter, scope if generator is node.generators[0] else inner, guard)
            for condition in generator.ifs:
                _truth(inner, condition)
                self.visit(condition, inner, guard)
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        for part in parts:
            self.visit(part, inner, guard)

    def _function(self, node: Function, scope: Scope, guard: Guard) -> None:
        defaults = [*node.args.defaults, *(d for d in node.args.kw_defaults if d)]
        for part in [*node.decorator_list, *defaults]:
            self.visit(part, scope, guard)
        for decorator in node.decorator_list:
            _decorator(scope, decorator)
        inner = self.inside(node, scope)
        for statement in node.body:
            self.visit(statement, inner, guard)

    def inside(self, node: Function, scope: Scope) -> Scope:
        """The scope of a function, its parameters known from its event or its annotations."""
        surface = scope.project.surface
        roles = self.roles.get(node, [])
        given: dict[str, Kind | None] = {p.arg: annotated(p.annotation, surface) for p in parameters(node.args)}
        for special in (node.args.vararg, node.args.kwarg):
            if special:
                given[special.arg] = None
        for role in roles:
            given.update(role.given(scope.project))
        is_async = isinstance(node, ast.AsyncFunctionDef)
        gives: Gives = "awaitable" if is_async else ("value" if roles else "either")
        return Scope(scope.project, self.source, bindings(node), scope, given, gives, is_async)


def _truth(scope: Scope, node: ast.expr) -> None:
    if not isinstance(node, ast.BoolOp | ast.UnaryOp):
        members.truth(scope, node)
    elif isinstance(node, ast.BoolOp):
        _truth(scope, node.values[-1])


def _decorator(scope: Scope, node: ast.expr) -> None:
    """A decorator that wants arguments and has none, or has some and wants none."""
    kind = scope.kind(node.func if isinstance(node, ast.Call) else node)
    if kind is None or kind.member is None:
        return
    name = f"{scope.project.surface.spoken(kind.member.owner)}.{kind.member.name}"
    report, file = scope.project.report, scope.source.file
    if isinstance(node, ast.Call):
        if name == "proxy.on_request":
            literals.method_filter(scope, node)
    elif name == "timer.every":
        report.error(file, node, 'timer.every needs its period: write @timer.every("30s")')


def _caught(node: ast.Try | ast.TryStar, guard: Guard) -> Guard:
    for handler in node.handlers:
        names = ast.unparse(handler.type) if handler.type else "Exception"
        if "AttributeError" in names:
            guard = replace(guard, attributes=True)
        if any(name in names for name in ("ImportError", "ModuleNotFoundError", "Exception")):
            guard = replace(guard, imports=True)
    return guard
