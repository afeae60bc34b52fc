"""Names that are nowhere defined, and names of `siphon` that a script hides from itself."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator

from .finding import guess
from .project import Project
from .source import Bindings, Function, Source, bindings, functions

_ALWAYS = set(dir(builtins)) | {"__file__", "__name__", "__doc__", "__builtins__", "__package__", "__spec__", "__path__"}
_NESTED = {"lambda", "listcomp", "setcomp", "dictcomp", "genexpr"}


def check(project: Project, source: Source) -> None:
    found = bindings(source.tree)
    _hidden(project, source, found)
    if not _is_dynamic(source, found):
        _undefined(project, source, set(found))


def _is_dynamic(source: Source, found: Bindings) -> bool:
    """Whether the module may have names that its text does not show."""
    if "*" in found or "__getattr__" in found:
        return True
    calls = (n.func for n in ast.walk(source.tree) if isinstance(n, ast.Call))
    return any(isinstance(f, ast.Name) and f.id in {"globals", "vars", "exec", "setattr"} for f in calls)


def _undefined(project: Project, source: Source, found: set[str]) -> None:
    tables = {}
    for table in _tables(symtable.symtable(source.text, source.file, "exec")):
        if table.get_type() == "function" and table.get_name() not in _NESTED:
            tables[(table.get_name(), table.get_lineno())] = table
    for function in functions(source.tree):
        lines = [function.lineno, *(d.lineno for d in function.decorator_list)]
        own = next((t for n in lines if (t := tables.get((function.name, n)))), None)
        if own is None:
            continue
        missing, bound = _globals(own)
        missing -= _probed(function)
        for name in sorted(missing - bound - found - _ALWAYS):
            at = next((n for n in _own(function) if isinstance(n, ast.Name) and n.id == name), None)
            if at is not None and isinstance(at.ctx, ast.Load):
                project.report.error(source.file, at, _said(project, name, found))


def _probed(function: Function) -> set[str]:
    """Names that are tried, with `except NameError` for when they are not there."""
    tried = (n for n in ast.walk(function) if isinstance(n, ast.Try))
    coped = (n for n in tried if any(h.type and "NameError" in ast.unparse(h.type) for h in n.handlers))
    return {n.id for node in coped for n in ast.walk(node) if isinstance(n, ast.Name)}


def _said(project: Project, name: str, found: set[str]) -> str:
    if name in project.surface.names and not project.why_absent(name):
        return f'"{name}" is not defined: write "from siphon import {name}"'
    near = guess(name, found | set(dir(builtins)))
    return f'"{name}" is not defined' + (f'; did you mean "{near}"?' if near else " anywhere in the file")


def _tables(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _tables(child)


def _globals(table: symtable.SymbolTable) -> tuple[set[str], set[str]]:
    """Names that the function takes from the module, and names that it or a lambda in it binds."""
    missing, bound = set(), set()
    for symbol in table.get_symbols():
        # In a function that is called "top" Python's symtable takes local names for global ones as well.
        if symbol.is_local() or symbol.is_free() or symbol.is_parameter():
            bound.add(symbol.get_name())
        elif symbol.is_global() and symbol.is_referenced():
            missing.add(symbol.get_name())
    for child in table.get_children():
        if child.get_name() in _NESTED:
            inner = _globals(child)
            missing |= inner[0]
            bound |= inner[1]
    return missing, bound


def _own(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function's body, without those of functions and classes in it."""
    todo: list[ast.AST] = list(reversed(function.body))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            todo.extend(reversed(list(ast.iter_child_nodes(node))))


def _hidden(project: Project, source: Source, found: Bindings) -> None:
    imported = {
        name
        for name, ways in found.items()
        if any(isinstance(w.node, ast.ImportFrom) and w.node.module == "siphon" for w in ways)
    }
    for node in source.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name in imported:
            project.report.error(
                source.file, node, f'"{node.name}" hides the {node.name} of siphon from here on: give it another name'
            )
    for function in functions(source.tree):
        _too_early(project, source, function, imported)


def _too_early(project: Project, source: Source, function: Function, imported: set[str]) -> None:
    """`registrar = registrar.lookup(…)` makes the name local, so the right side has no value yet."""
    own = bindings(function)
    for name in sorted(imported & set(own)):
        if any(a.arg == name for a in ast.walk(function.args) if isinstance(a, ast.arg)):
            continue
        uses = [n for n in _own(function) if isinstance(n, ast.Name) and n.id == name]
        stores = [n for n in uses if not isinstance(n.ctx, ast.Load)]
        loads = [n for n in uses if isinstance(n.ctx, ast.Load)]
        if stores and loads and min(n.lineno for n in loads) <= min(n.lineno for n in stores):
            first = min(loads, key=lambda n: (n.lineno, n.col_offset))
            project.report.error(
                source.file,
                first,
                f'"{name}" is assigned in {function.name}, so siphon\'s is not seen in it: give the variable another name',
            )
