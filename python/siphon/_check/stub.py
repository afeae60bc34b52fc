"""The surface as the type stubs of `siphon` tell it: the only list of names, parameters and results in here."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Parameter:
    """A parameter of a method."""

    name: str
    annotation: ast.expr | None
    required: bool
    keyword_only: bool = False


@dataclass(frozen=True)
class Member:
    """A property or method of a class of the stubs."""

    owner: str
    name: str
    parameters: tuple[Parameter, ...] = ()
    returns: ast.expr | None = None
    is_property: bool = False
    is_settable: bool = False
    takes_any: bool = False
    takes_any_keyword: bool = False
    is_overloaded: bool = False


@dataclass
class Surface:
    """What the stubs declare."""

    classes: dict[str, dict[str, Member]] = field(default_factory=dict)
    #: Classes that inherit members which the stubs do not tell.
    open_classes: set[str] = field(default_factory=set)
    #: Names of `siphon` that hold an object, and its class: `proxy` is a `_Proxy`.
    namespaces: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, ast.expr] = field(default_factory=dict)

    @classmethod
    def parse(cls, *stubs: str) -> Surface:
        """Reads the text of stub files."""
        surface = cls()
        for stub in stubs:
            for node in _statements(ast.parse(stub).body):
                surface._declare(node)
        return surface

    def _declare(self, node: ast.stmt) -> None:
        match node:
            case ast.ClassDef():
                self.classes[node.name] = _members(node)
                if any(not _is_plain(base) for base in node.bases):
                    self.open_classes.add(node.name)
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id="TypeAlias"), value=value) if value:
                self.aliases[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Name(id=kind)):
                self.namespaces[name] = kind
            case _:
                pass

    @property
    def names(self) -> set[str]:
        """What can be imported, as far as the stubs know."""
        return set(self.namespaces) | {name for name in self.classes if not name.startswith("_")}

    def spoken(self, owner: str) -> str:
        """How messages call a class: a namespace by its own name."""
        for name, kind in self.namespaces.items():
            if kind == owner:
                return name
        return "proxy._utils" if owner == "_ProxyUtils" else owner.lstrip("_")


def _is_plain(base: ast.expr) -> bool:
    name = base.value if isinstance(base, ast.Subscript) else base
    return isinstance(name, ast.Name) and name.id in {"object", "Protocol", "Generic"}


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If):
            yield from _statements(node.body)
        else:
            yield node


def _members(node: ast.ClassDef) -> dict[str, Member]:
    members: dict[str, Member] = {}
    for item in node.body:
        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
            known = members.get(item.name)
            decorators = [ast.unparse(d) for d in item.decorator_list]
            if known and f"{item.name}.setter" in decorators:
                members[item.name] = Member(
                    node.name, item.name, returns=known.returns, is_property=True, is_settable=True
                )
            else:
                members[item.name] = _member(node.name, item, decorators)
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            members[item.target.id] = Member(
                node.name, item.target.id, returns=item.annotation, is_property=True, is_settable=True
            )
    return members


def _member(owner: str, node: ast.FunctionDef | ast.AsyncFunctionDef, decorators: list[str]) -> Member:
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    optional = len(given.defaults)
    parameters = [
        Parameter(a.arg, a.annotation, required=n < len(plain) - optional) for n, a in enumerate(plain)
    ]
    if "staticmethod" not in decorators:
        parameters = parameters[1:]
    parameters += [
        Parameter(a.arg, a.annotation, required=default is None, keyword_only=True)
        for a, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    return Member(
        owner,
        node.name,
        tuple(parameters),
        node.returns,
        is_property="property" in decorators,
        takes_any=given.vararg is not None,
        takes_any_keyword=given.kwarg is not None,
        is_overloaded="overload" in decorators,
    )
