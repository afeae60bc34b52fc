"""Names that a script defines for itself and uses later: labels of its metrics, caches of the YAML."""

from __future__ import annotations

import ast

from .finding import guess
from .scope import Scope

_MAKERS = {"counter": "Counter", "gauge": "Gauge", "histogram": "Histogram"}


def call(scope: Scope, node: ast.Call) -> None:
    """Every rule about one call."""
    if isinstance(node.func, ast.Attribute):
        _labels(scope, node, node.func)
        _cache(scope, node, node.func, scope.project.caches)


def _labels(scope: Scope, node: ast.Call, function: ast.Attribute) -> None:
    if not isinstance(function.value, ast.Name):
        return
    name, verb = function.value.id, function.attr
    kind = scope.named(name)
    if kind is None or kind.name not in _MAKERS.values() or verb not in {"inc", "dec", "set", "observe", "labels"}:
        return
    labels = _defined(scope, name)
    given = [keyword.arg for keyword in node.keywords]
    if labels is None or (verb == "labels" and (None in given or sorted(map(str, given)) == sorted(labels))):
        return
    wanted = f"{name}.labels({', '.join(f'{label}=…' for label in labels)})"
    report, file = scope.project.report, scope.source.file
    if verb != "labels" and labels:
        report.error(file, function, f"{name} has labels: write {wanted}.{verb}(…)")
    elif verb == "labels" and not labels:
        report.error(file, function, f"{name} has no labels: leave out labels(…), or name them where {name} is made")
    elif verb == "labels":
        report.error(file, function, f"{name} has the labels {', '.join(labels)}: write {wanted}")


def _defined(scope: Scope, name: str) -> list[str] | None:
    """The labels that the one definition of a metric names."""
    at: Scope | None = scope
    while at and name not in at.found:
        at = at.parent
    match at.found[name] if at else []:
        case [only] if isinstance(only.value, ast.Call) and isinstance(only.value.func, ast.Attribute):
            made = only.value
        case _:
            return None
    if not isinstance(made.func, ast.Attribute) or made.func.attr not in _MAKERS:
        return None
    given = [k.value for k in made.keywords if k.arg == "labels"] + made.args[2:3]
    match given:
        case [] if all(k.arg for k in made.keywords):
            return []
        case [ast.List(elts=names) | ast.Tuple(elts=names)]:
            texts = [n.value for n in names if isinstance(n, ast.Constant) and isinstance(n.value, str)]
            return texts if len(texts) == len(names) else None
        case _:
            return None


def _cache(scope: Scope, node: ast.Call, function: ast.Attribute, caches: frozenset[str]) -> None:
    kind = scope.kind(function.value)
    if kind is None or kind.name != scope.project.surface.namespaces.get("cache") or function.attr == "has_cache":
        return
    match node.args:
        case [ast.Constant(value=str(name)), *_] if caches and name not in caches | scope.source.probed:
            near = guess(name, caches)
            known = f'did you mean "{near}"?' if near else f"there is {', '.join(sorted(caches))}"
            scope.project.report.error(
                scope.source.file, node.args[0], f'no cache is named "{name}" under cache: in the YAML; {known}'
            )
        case _:
            pass
