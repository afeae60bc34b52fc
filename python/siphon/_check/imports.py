"""Imports: names of `siphon` that are not there, modules that cannot be found, relative imports of the script."""

from __future__ import annotations

import ast

from .finding import absent
from .scope import Scope
from .source import bindings


def imported(scope: Scope, node: ast.Import) -> None:
    for alias in node.names:
        _exists(scope, node, alias.name)


def imported_from(scope: Scope, node: ast.ImportFrom) -> None:
    project, source = scope.project, scope.source
    if node.level:
        if not source.name:
            module = node.module or node.names[0].name
            project.report.error(
                source.file, node, f'the script is in no package: write "import {module}" without the dot'
            )
        return
    if node.module == "siphon":
        for alias in node.names:
            _name_of_siphon(scope, node, alias)
    elif node.module and _exists(scope, node, node.module):
        for alias in node.names:
            _name_of_module(scope, node.module, alias)


def _name_of_siphon(scope: Scope, node: ast.ImportFrom, alias: ast.alias) -> None:
    if alias.name == "*" or alias.name in scope.source.probed:
        return
    why = scope.project.why_absent(alias.name)
    if why:
        scope.project.report.error(scope.source.file, alias, why)


def _exists(scope: Scope, node: ast.stmt, name: str) -> bool:
    project = scope.project
    if project.owns(name):
        project.module(name)
        return True
    if not project.exists(name):
        beside = ", ".join(project.roots)
        project.report.error(
            scope.source.file, node, f'there is no module "{name}": it is not beside the script ({beside}), nor installed'
        )
        return False
    return True


def _name_of_module(scope: Scope, module: str, alias: ast.alias) -> None:
    project = scope.project
    if not project.owns(module) or alias.name == "*" or project.owns(f"{module}.{alias.name}"):
        return
    source = project.module(module)
    if source is None:
        return
    known = bindings(source.tree)
    # Names that a module makes while it runs are not followed.
    dynamic = {"*", "__getattr__"} & set(known) or any(
        isinstance(n, ast.Name) and n.id in {"globals", "vars", "exec"} for n in ast.walk(source.tree)
    )
    if alias.name not in known and not dynamic and not alias.name.startswith("__"):
        project.report.error(scope.source.file, alias, absent(module, alias.name, known))
