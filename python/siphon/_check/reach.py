"""Handlers that are never registered: under `if False`, under `__main__`, or inside another function."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from .handlers import Handler, event_of
from .project import Project
from .scope import Scope
from .source import Source


def check(project: Project, scope: Scope, source: Source, found: list[Handler]) -> None:
    registered = {handler.function for handler in found if not handler.is_callback}
    for node, why, is_error in _dead(source.tree.body, "", False):
        if node in registered and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            tell = project.report.error if is_error else project.report.warning
            tell(source.file, node, f"{node.name} is never registered: {why}")
    for function in ast.walk(source.tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function in registered:
            _inside(project, scope, source, function)


def _inside(project: Project, scope: Scope, source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    """Handlers are registered while the script loads, not while a handler runs."""
    for inner in ast.walk(function):
        if inner is function or not isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if any(event_of(scope, decorator) for decorator in inner.decorator_list):
            project.report.error(
                source.file,
                inner,
                f"{inner.name} is defined inside {function.name}, which runs too late to register it: "
                "move it to the outermost level",
            )


def _dead(body: list[ast.stmt], why: str, is_error: bool) -> Iterator[tuple[ast.stmt, str, bool]]:
    """Statements of the module that its import never comes to."""
    for node in body:
        if why:
            yield node, why, is_error
        match node:
            case ast.If(test=test, body=inner, orelse=orelse):
                taken = _known(test)
                text = f'"if {ast.unparse(test)}" is never true here'
                if _is_main(test):
                    text = 'the script is imported and is never "__main__": register it without the "if"'
                dead = why or ("" if taken is not False else text)
                yield from _dead(inner, dead, is_error or _is_main(test))
                yield from _dead(orelse, why or (text.replace("never", "always") if taken else ""), is_error)
            case ast.Try(body=inner, handlers=handlers, orelse=orelse, finalbody=finalbody):
                yield from _dead(inner, why, is_error)
                for handler in handlers:
                    yield from _dead(handler.body, why, is_error)
                yield from _dead([*orelse, *finalbody], why, is_error)
            case ast.With(body=inner) | ast.For(body=inner) | ast.While(body=inner):
                yield from _dead(inner, why, is_error)
            case _:
                pass


def _known(test: ast.expr) -> bool | None:
    match test:
        case ast.Constant(value=value):
            return bool(value)
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return False
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            known = _known(operand)
            return None if known is None else not known
        case _:
            return False if _is_main(test) else None


def _is_main(test: ast.expr) -> bool:
    match test:
        case ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant(value="__main__")]):
            return True
        case _:
            return False
