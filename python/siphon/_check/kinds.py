"""What a value is known to be. Not knowing is `None`, and about what is not known nothing is said."""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass

from .stub import Member, Surface


@dataclass(frozen=True)
class Kind:
    """A class of the stubs or of Python by its name, or one of the special ones below."""

    name: str
    #: Of a list its items, of an awaitable its result.
    item: Kind | None = None
    #: Of a METHOD.
    member: Member | None = None
    #: Of a FUNCTION, its `def`; of a MODULE, its name in `node_name`.
    node: ast.AST | None = None
    node_name: str = ""


NONE = Kind("None")
STR = Kind("str")
INT = Kind("int")
BOOL = Kind("bool")
METHOD, FUNCTION, CLASS, MODULE = "method of siphon", "function", "class of siphon", "module"
SIPHON = Kind(MODULE, node_name="siphon")
#: What calling an `async def` of the script gives.
COROUTINE = Kind("coroutine")

BUILTIN = {"str", "bytes", "int", "float", "bool", "list", "dict", "tuple", "set"}


def is_function(kind: Kind | None) -> bool:
    return kind is not None and kind.name == FUNCTION


def is_awaitable(kind: Kind | None) -> bool:
    return kind is not None and kind.name in {"Awaitable", "coroutine"}


def attributes(name: str) -> set[str] | None:
    """The attributes of a class of Python itself."""
    return set(dir(getattr(builtins, name))) if name in BUILTIN else None


def annotated(annotation: ast.expr | None, surface: Surface) -> Kind | None:
    """The one class that an annotation names, `None` aside."""
    kinds = options(annotation, surface)
    if kinds is None:
        return None
    some = [kind for kind in kinds if kind != NONE]
    return some[0] if len(some) == 1 else (NONE if not some else None)


def options(annotation: ast.expr | None, surface: Surface) -> list[Kind] | None:
    """The classes that an annotation allows; None when it is not fully understood."""
    match annotation:
        case ast.Constant(value=None):
            return [NONE]
        case ast.Constant(value=str(text)):
            try:
                return options(ast.parse(text, mode="eval").body, surface)
            except SyntaxError:
                return None
        case ast.Name(id=name) if name in surface.aliases:
            return options(surface.aliases[name], surface)
        case ast.Name(id=name) if name in surface.classes or name in BUILTIN or name in {"timedelta", "Callable"}:
            return [Kind(name)]
        case ast.Attribute(attr=name) if name in surface.classes:
            return [Kind(name)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            a, b = options(left, surface), options(right, surface)
            return None if a is None or b is None else [*a, *b]
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            a = options(inner, surface)
            return None if a is None else [*a, NONE]
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Constant(value=bool())):
            return [Kind("bool")]
        case ast.Subscript(value=ast.Name(id="Literal")):
            return [STR]
        case ast.Subscript(value=ast.Name(id=("list" | "Awaitable" | "Coroutine") as name), slice=inner):
            if name == "Coroutine" and isinstance(inner, ast.Tuple):
                inner = inner.elts[-1]
            return [Kind("list" if name == "list" else "Awaitable", annotated(inner, surface))]
        case ast.Subscript(value=ast.Name(id=("Sequence" | "Iterable" | "Mapping" | "Callable" | "dict" | "tuple") as name)):
            return [Kind(name)]
        case _:
            return None


def literals(annotation: ast.expr | None, surface: Surface) -> list[str] | None:
    """The texts that a `Literal[...]` annotation allows."""
    match annotation:
        case ast.Name(id=name) if name in surface.aliases:
            return literals(surface.aliases[name], surface)
        case ast.Subscript(value=ast.Name(id="Literal"), slice=ast.Tuple(elts=elements)):
            return [e.value for e in elements if isinstance(e, ast.Constant) and isinstance(e.value, str)]
        case ast.BinOp(left=left, op=ast.BitOr(), right=ast.Constant(value=None)):
            return literals(left, surface)
        case _:
            return None


#: Which known kinds may stand where the annotation says the left one.
_STANDS_FOR = {
    "float": {"int", "bool", "float"},
    "int": {"int", "bool"},
    "Sequence": {"list", "tuple"},
    "Iterable": {"list", "tuple", "set", "dict"},
    "Mapping": {"dict"},
    "Callable": {FUNCTION, METHOD, CLASS},
}


def fits(kind: Kind, wanted: list[Kind]) -> bool:
    """Whether a value of that kind can be meant by an annotation."""
    return any(kind.name == w.name or kind.name in _STANDS_FOR.get(w.name, ()) for w in wanted)
