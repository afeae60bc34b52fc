"""Calls of known methods: how many arguments, which keywords, and values of a kind that cannot be meant."""

from __future__ import annotations

import ast

from .finding import guess, shown
from .kinds import CLASS, FUNCTION, METHOD, MODULE, STR, Kind, fits, is_awaitable, literals, options
from .scope import Scope
from .stub import Member, Parameter

Given = list[tuple[Parameter, ast.expr]]


def bound(scope: Scope, node: ast.Call) -> tuple[Member, Given] | None:
    """Which argument goes to which parameter; what does not fit is told. None for what is not known."""
    kind = scope.kind(node.func)
    if kind is None:
        return None
    member, spoken = kind.member, shown(node.func)
    if kind.name == CLASS:
        member = scope.project.surface.classes.get(kind.node_name, {}).get("__init__")
    if member is None or member.is_overloaded:
        return None
    splat = any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords)
    given: Given = []
    wrong: list[str] = []
    plain = [p for p in member.parameters if not p.keyword_only]
    if not splat and len(node.args) > len(plain) and not member.takes_any:
        wrong.append(_too_many(spoken, member, plain, len(node.args)))
    if not any(isinstance(a, ast.Starred) for a in node.args):
        given += zip(plain, node.args, strict=False)
    by_name = {p.name: p for p in member.parameters}
    taken = {p.name for p, _ in given}
    for keyword in node.keywords:
        if keyword.arg is None:
            continue
        parameter = by_name.get(keyword.arg)
        if parameter is None:
            if not member.takes_any_keyword:
                wrong.append(_unknown(spoken, member, keyword.arg))
        elif parameter.name in taken:
            wrong.append(f'{spoken} is given "{parameter.name}" twice')
        else:
            given.append((parameter, keyword.value))
    if not splat and not wrong:
        taken = {p.name for p, _ in given}
        missing = [p.name for p in member.parameters if p.required and p.name not in taken]
        if missing:
            names = ", ".join(p.name for p in member.parameters if p.required)
            if missing == ["function"]:
                wrong.append(f"{spoken} decorates a function: write @{spoken} without ()")
            else:
                wrong.append(f"{spoken}() needs {_listed(missing)}: write {spoken}({names})")
    for text in wrong:
        scope.project.report.error(scope.source.file, node.func, text)
    return member, ([] if wrong else given)


def _too_many(spoken: str, member: Member, plain: list[Parameter], count: int) -> str:
    if member.takes_any_keyword:
        first = plain[0].name if plain else "text"
        return f'{spoken}() takes {len(plain)} value: write {spoken}("{first}", key=value) with what belongs to it'
    if not member.parameters:
        return f"{spoken}() takes nothing, but is given {count}"
    names = ", ".join(p.name for p in plain)
    return f"{spoken}() takes at most {len(plain)} ({names}), but is given {count}"


def _unknown(spoken: str, member: Member, keyword: str) -> str:
    names = [p.name for p in member.parameters]
    near = guess(keyword, names)
    if near:
        return f'{spoken}() has no parameter "{keyword}"; did you mean "{near}"?'
    return f'{spoken}() has no parameter "{keyword}"; it takes {", ".join(names) or "nothing"}'


def _listed(names: list[str]) -> str:
    return " and ".join(", ".join(names).rsplit(", ", 1))


_A = {
    "str": "text", "int": "a whole number", "float": "a number", "bytes": "bytes", "bool": "True or False",
    "list": "a list", "Sequence": "a list", "Iterable": "a list", "Mapping": "a dict", "dict": "a dict",
    "tuple": "a tuple", "set": "a set", "Callable": "a function", "None": "None", "SipUri": "a SipUri",
    "Contact": "a Contact", "timedelta": "a timedelta", FUNCTION: "a function", METHOD: "a method", CLASS: "a class",
    MODULE: "a module",
}  # fmt: skip


def _said(kind: Kind) -> str:
    return _A.get(kind.name, f"a {kind.name.lstrip('_')}")


def values(scope: Scope, node: ast.Call, member: Member, given: Given) -> None:
    """Arguments whose kind cannot be meant."""
    surface, report, file = scope.project.surface, scope.project.report, scope.source.file
    for parameter, value in given:
        wanted = options(parameter.annotation, surface)
        kind = scope.kind(value)
        if wanted is None or kind is None or kind.name in surface.open_classes:
            continue
        spoken = f"{shown(node.func)}({parameter.name})"
        if is_awaitable(kind):
            report.error(file, value, f"{spoken} is given {shown(value)} before it is there: write await {shown(value)}")
        elif not fits(kind, wanted):
            report.error(file, value, f"{spoken} is {_wanted(wanted)}, not {_said(kind)}{_advice(member, kind, value)}")
        elif kind == STR and isinstance(value, ast.Constant):
            allowed = literals(parameter.annotation, surface)
            text = str(value.value)
            if allowed and text not in allowed:
                near = guess(text, allowed)
                known = f'; did you mean "{near}"?' if near else f": it is one of {', '.join(allowed)}"
                report.error(file, value, f'{spoken} cannot be "{text}"{known}')


def _wanted(wanted: list[Kind]) -> str:
    said = list(dict.fromkeys(_said(w) for w in wanted))
    if len(said) > 1 and "None" in said:
        said.remove("None")
    return " or ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)


def _advice(member: Member, kind: Kind, value: ast.expr) -> str:
    match member.name, kind.name, value:
        case "relay", "list", _:
            return ": fork() takes a list"
        case "fork", _, _ if kind.name in {"str", "SipUri", "Contact"}:
            return f": write fork([{shown(value)}]) or relay({shown(value)})"
        case _, "str", ast.Constant(value=str(text)) if text.isdigit():
            return f": write {text}"
        case _:
            return ""
