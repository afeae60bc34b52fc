"""What the names and expressions of one scope are known to hold."""

from __future__ import annotations

import ast
from typing import Literal

from .kinds import (
    BOOL,
    CLASS,
    COROUTINE,
    FUNCTION,
    INT,
    METHOD,
    MODULE,
    NONE,
    SIPHON,
    STR,
    Kind,
    annotated,
    is_awaitable,
)
from .project import Project
from .source import Binding, Bindings, Source, bindings

#: What an awaitable verb gives here: an awaitable, its value, or one of the two.
Gives = Literal["awaitable", "value", "either"]

_CONSTANTS = {str: STR, bytes: Kind("bytes"), bool: BOOL, int: INT, float: Kind("float"), type(None): NONE}
_CALLED = {"str": STR, "repr": STR, "len": INT, "int": INT, "float": Kind("float"), "bool": BOOL, "hash": INT}


class Scope:
    """A module, function, lambda or comprehension."""

    def __init__(
        self,
        project: Project,
        source: Source,
        found: Bindings,
        parent: Scope | None = None,
        given: dict[str, Kind | None] | None = None,
        gives: Gives = "either",
        is_async: bool = False,
    ) -> None:
        self.project, self.source, self.parent = project, source, parent
        self.found, self.is_async = found, is_async
        self.gives: Gives = gives
        self._known: dict[str, Kind | None] = dict(given or {})
        for name in set(self._known) & set(found):
            # A parameter that is given another value later is not followed.
            self._known[name] = None
        self._asked: set[str] = set()

    @classmethod
    def of_module(cls, project: Project, source: Source) -> Scope:
        return cls(project, source, bindings(source.tree), gives="value")

    def inner(self, given: dict[str, Kind | None]) -> Scope:
        """The scope of a comprehension or lambda in this one."""
        return Scope(self.project, self.source, {}, self, given, self.gives, self.is_async)

    def named(self, name: str) -> Kind | None:
        """What a name holds, when every way it is bound says the same."""
        if name in self._known:
            return self._known[name]
        if name not in self.found:
            return self.parent.named(name) if self.parent else None
        if name in self._asked:
            return None
        self._asked.add(name)
        kinds = {self._bound(binding) for binding in self.found[name]}
        self._asked.discard(name)
        if len(kinds) > 1:
            kinds.discard(NONE)
        kind = kinds.pop() if len(kinds) == 1 else None
        self._known[name] = kind
        return kind

    def binds(self, name: str) -> bool:
        """Whether some scope of the file binds the name."""
        if name in self.found or name in self._known:
            return True
        return self.parent is not None and self.parent.binds(name)

    def _bound(self, binding: Binding) -> Kind | None:
        if binding.value is not None:
            kind = self.kind(binding.value)
            if not binding.is_item:
                return kind
            return kind.item if kind and kind.name == "list" else None
        match binding.node, binding.alias:
            case ast.FunctionDef() | ast.AsyncFunctionDef() as node, _:
                return Kind(FUNCTION, node=node, node_name=self.source.name)
            case ast.Import(), ast.alias(name=name, asname=asname):
                return _module(name if asname else name.partition(".")[0])
            case ast.ImportFrom(module="siphon", level=0), ast.alias(name=name):
                return self.member_of_siphon(name)
            case ast.ImportFrom(level=0) as node, ast.alias(name=name) if node.module:
                inner = f"{node.module}.{name}"
                return _module(inner) if self.project.owns(inner) else self.project.exported(node.module, name)
            case _:
                return None

    def member_of_siphon(self, name: str) -> Kind | None:
        surface = self.project.surface
        if name in surface.namespaces:
            return Kind(surface.namespaces[name])
        if name in surface.classes and not name.startswith("_"):
            return Kind(CLASS, node_name=name)
        return None

    def kind(self, node: ast.expr) -> Kind | None:
        """What an expression gives."""
        match node:
            case ast.Name(id=name):
                return self.named(name)
            case ast.Constant(value=value):
                return _CONSTANTS.get(type(value))
            case ast.JoinedStr():
                return STR
            case ast.NamedExpr(value=value):
                return self.kind(value)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Call():
                return self._called(node)
            case ast.Await(value=value):
                awaited = self.kind(value)
                return awaited.item if is_awaitable(awaited) and awaited else None
            case ast.Subscript(value=value, slice=index):
                listed = self.kind(value)
                if listed is None or listed.name != "list":
                    return None
                return listed if isinstance(index, ast.Slice) else listed.item
            case ast.BoolOp(values=values):
                return self._agreed(values)
            case ast.IfExp(body=body, orelse=orelse):
                return self._agreed([body, orelse])
            case ast.Compare() | ast.UnaryOp(op=ast.Not()):
                return BOOL
            case ast.UnaryOp(operand=operand):
                number = self.kind(operand)
                return number if number in (INT, Kind("float")) else None
            case ast.BinOp(left=left, op=ast.Add() | ast.Mod(), right=right):
                text = self.kind(left)
                is_text = text == STR and (isinstance(node.op, ast.Mod) or self.kind(right) == STR)
                return STR if is_text else None
            case ast.List(elts=elements):
                return Kind("list", self._agreed(elements) if elements else None)
            case ast.ListComp(elt=element):
                return Kind("list", comprehension(self, node).kind(element))
            case ast.Dict() | ast.DictComp():
                return Kind("dict")
            case ast.Tuple():
                return Kind("tuple")
            case ast.Set() | ast.SetComp():
                return Kind("set")
            case _:
                return None

    def _agreed(self, nodes: list[ast.expr]) -> Kind | None:
        kinds = {self.kind(node) for node in nodes}
        if len(kinds) > 1:
            kinds.discard(NONE)
        return kinds.pop() if len(kinds) == 1 else None

    def _attribute(self, node: ast.Attribute) -> Kind | None:
        owner = self.kind(node.value)
        if owner is None:
            return None
        if owner == SIPHON:
            return self.member_of_siphon(node.attr)
        if owner.name == MODULE:
            if self.project.owns(f"{owner.node_name}.{node.attr}"):
                return _module(f"{owner.node_name}.{node.attr}")
            return self.project.exported(owner.node_name, node.attr)
        member = self.project.surface.classes.get(owner.name, {}).get(node.attr)
        if member is None:
            return None
        if member.is_property:
            return annotated(member.returns, self.project.surface)
        return Kind(METHOD, member=member)

    def _called(self, node: ast.Call) -> Kind | None:
        function = self.kind(node.func)
        if function is None:
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            if self.binds(name):
                return None
            if name in {"list", "sorted"} and len(node.args) == 1:
                listed = self.kind(node.args[0])
                return Kind("list", listed.item if listed and listed.name == "list" else None)
            return _CALLED.get(name)
        if function.name == CLASS:
            return Kind(function.node_name)
        if function.name == FUNCTION:
            return COROUTINE if isinstance(function.node, ast.AsyncFunctionDef) else None
        if function.member is None or function.member.is_overloaded:
            return None
        result = annotated(function.member.returns, self.project.surface)
        if result is None or result.name != "Awaitable" or self.gives == "awaitable":
            return result
        return result.item if self.gives == "value" else None


def _module(name: str) -> Kind:
    return SIPHON if name == "siphon" else Kind(MODULE, node_name=name)


def comprehension(scope: Scope, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> Scope:
    """The scope inside a comprehension."""
    inner = scope
    for generator in node.generators:
        listed = inner.kind(generator.iter)
        item = listed.item if listed and listed.name == "list" else None
        given: dict[str, Kind | None] = {}
        for name in ast.walk(generator.target):
            if isinstance(name, ast.Name):
                given[name.id] = item if name is generator.target else None
        inner = inner.inner(given)
    return inner
