"""Literal arguments that the engine refuses when the call is made: status codes, durations, header fields, URIs."""

from __future__ import annotations

import ast
import ipaddress
import re

from .arguments import Given
from .finding import guess, shown
from .handlers import METHODS
from .kinds import BOOL, INT, STR, Kind
from .scope import Scope
from .stub import Member

_DURATION = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*(|ms|s|m|min|h|d)\s*")
_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_FIXED = {
    "content-length": "follows the body: use set_body()",
    "l": "follows the body: use set_body()",
    "via": "belongs to the transaction layer",
    "v": "belongs to the transaction layer",
    "cseq": "belongs to the transaction layer",
    "call-id": "belongs to the transaction layer",
    "i": "belongs to the transaction layer",
}
_EDITS = {"set_header", "add_header", "ensure_header", "remove_header"}
_NAMED = _EDITS | {"set_reply_header", "add_reply_header"}
_ADDRESSED = {"relay", "fork", "set_ruri", "set_contact_uri", "set_from_uri", "set_to_uri", "add_path", "prepend_route"}


def check(scope: Scope, node: ast.Call, member: Member, given: Given) -> None:
    """Every rule about one call."""
    for parameter, value in given:
        spoken = f"{shown(node.func)}()"
        annotation = ast.unparse(parameter.annotation) if parameter.annotation else ""
        if member.owner in {"Request", "Reply"} or member.name == "send_request":
            _text(scope, spoken, parameter.name, value)
        if parameter.name == "code":
            _code(scope, node, member, value)
        elif "_Duration" in annotation:
            _duration(scope, spoken, parameter.name, value)
        elif "_Address" in annotation and member.name in _ADDRESSED:
            for part in value.elts if isinstance(value, ast.List | ast.Tuple) else [value]:
                _address(scope, spoken, part)
        elif parameter.name == "networks":
            for part in value.elts if isinstance(value, ast.List | ast.Tuple | ast.Set) else [value]:
                _network(scope, part)
        elif parameter.name == "name" and member.owner in {"Request", "Reply"} and member.name in _NAMED:
            _header(scope, spoken, member, value)
        elif parameter.name == "method" and member.name == "send_request":
            _method(scope, value)
        elif parameter.name == "window_secs" and isinstance(number := _number(value), int | float) and number <= 0:
            scope.project.report.error(scope.source.file, value, f"{spoken} needs a window of more than 0 seconds")


def _number(node: ast.expr) -> int | float | None:
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case _:
            return None


def _code(scope: Scope, node: ast.Call, member: Member, value: ast.expr) -> None:
    code = _number(value)
    if not isinstance(code, int):
        return
    low = 300 if member.name == "reject" else 100
    if not low <= code <= 699:
        what = "a failure is" if low == 300 else "a status code is"
        scope.project.report.error(
            scope.source.file, value, f"{shown(node.func)}({code}) cannot be sent: {what} {low} to 699"
        )
    elif member.owner == "Request" and code < 200:
        scope.project.report.warning(
            scope.source.file, value,
            f"{shown(node.func)}({code}) is the whole decision, so no final answer follows: reply with 200 to 699",
        )  # fmt: skip


def _duration(scope: Scope, spoken: str, name: str, value: ast.expr) -> None:
    number = _number(value)
    text = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
    wrong = text is not None and not _DURATION.fullmatch(text)
    wrong = wrong or (number is not None and number < 0)
    report, file = scope.project.report, scope.source.file
    if wrong:
        advice = 'a number, or text such as "30s", "500ms", "5m", "1h"'
        report.error(file, value, f"{spoken} is given {ast.unparse(value)} for {name}, which is no duration: {advice}")
    elif spoken == "timer.every()" and name == "seconds" and number is not None and number < 0.001:
        report.error(file, value, "timer.every() needs a period of at least a millisecond")


def _text(scope: Scope, spoken: str, name: str, value: ast.expr) -> None:
    """CR, LF and NUL cannot be part of a header field."""
    if name == "body":
        return
    if isinstance(value, ast.Dict):
        for part in [*value.keys, *value.values]:
            if part:
                _text(scope, spoken, name, part)
        return
    parts = value.values if isinstance(value, ast.JoinedStr) else [value]
    for part in parts:
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and re.search("[\r\n\0]", part.value):
            scope.project.report.error(
                scope.source.file, value, f"{spoken} is given text with a line break or NUL: a header field has none"
            )


def _header(scope: Scope, spoken: str, member: Member, value: ast.expr) -> None:
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
        return
    name, report, file = value.value, scope.project.report, scope.source.file
    if not _TOKEN.fullmatch(name):
        bare = name.rstrip(": ")
        advice = f': write "{bare}"' if _TOKEN.fullmatch(bare) else ""
        report.error(file, value, f'"{name}" is no header field name{advice}')
    elif member.name in _EDITS and name.lower() in _FIXED:
        report.error(file, value, f"{spoken} cannot change {name}: it {_FIXED[name.lower()]}")


def _address(scope: Scope, spoken: str, value: ast.expr) -> None:
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
        return
    text = value.value.strip()
    if "<" in text or re.match(r"(?i)(sips?|tel|urn):", text) or re.search("[\r\n\0]", text):
        return
    if re.fullmatch(r"[A-Za-z0-9.@:\[\]_+\-]+", text):
        scheme, _, rest = text.partition(":")
        near = guess(scheme.lower(), ["sip", "sips", "tel"]) if rest and not rest[0].isdigit() else None
        fixed = f"{near}:{rest}" if near else f"sip:{text}"
        scope.project.report.error(scope.source.file, value, f'{spoken} takes a URI: write "{fixed}", not "{text}"')


def _network(scope: Scope, value: ast.expr) -> None:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        try:
            ipaddress.ip_network(value.value, strict=False)
        except ValueError:
            scope.project.report.error(
                scope.source.file, value, f'"{value.value}" is no network: write an address or "192.0.2.0/24"'
            )


def _method(scope: Scope, value: ast.expr) -> None:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        name = value.value
        if name in {"ACK", "CANCEL"}:
            scope.project.report.error(scope.source.file, value, f"{name} is no request of its own and cannot be sent")
        elif name not in METHODS and name.upper() in METHODS:
            scope.project.report.error(
                scope.source.file, value, f'methods are written in capitals: write "{name.upper()}"'
            )


def method_filter(scope: Scope, call: ast.Call) -> None:
    """The methods of `@proxy.on_request("INVITE|BYE")`."""
    report, file = scope.project.report, scope.source.file
    if len(call.args) > 1:
        all_of_them = "|".join(str(a.value) if isinstance(a, ast.Constant) else "…" for a in call.args)
        report.error(file, call, f'on_request takes one filter: write on_request("{all_of_them}")')
    if len(call.args) != 1 or not isinstance(call.args[0], ast.Constant):
        return
    given = call.args[0]
    if not isinstance(given.value, str):
        report.error(file, given, f'on_request takes a filter such as "INVITE|BYE", not {ast.unparse(given)}')
        return
    names = [name.strip() for name in given.value.split("|")]
    parts = [part for part in re.split(r"[\s,;|/]+", given.value) if part]
    if not all(names) or any(not _TOKEN.fullmatch(name) for name in names):
        report.error(file, given, f'"{given.value}" is no filter: write "{"|".join(parts).upper()}"')
        return
    for name in names:
        near = guess(name.upper(), METHODS)
        if name == "CANCEL":
            report.error(file, given, "CANCEL never comes to on_request: use @proxy.on_cancel")
        elif name != name.upper():
            report.error(file, given, f'methods are written in capitals: write "{name.upper()}"')
        elif name not in METHODS and near:
            report.error(file, given, f'"{name}" is no SIP method; did you mean "{near}"?')
        elif name not in METHODS:
            report.warning(file, given, f'"{name}" is no registered SIP method: the handler is called for nothing else')


_UPPER, _LOWER = {"method"}, {"transport"}


def compare(scope: Scope, node: ast.Compare) -> None:
    """Comparisons that are never true: another type, or another case than the engine gives."""
    left = node.left
    for operator, right in zip(node.ops, node.comparators, strict=True):
        if isinstance(operator, ast.Eq | ast.NotEq):
            _equal(scope, left, right)
            _equal(scope, right, left)
        elif isinstance(operator, ast.In | ast.NotIn) and isinstance(right, ast.Tuple | ast.List | ast.Set):
            for element in right.elts:
                _equal(scope, left, element)
        left = right


_NUMBERS = {INT, Kind("float"), BOOL}


def _equal(scope: Scope, value: ast.expr, literal: ast.expr) -> None:
    if not isinstance(literal, ast.Constant) or not isinstance(value, ast.Attribute) or literal.value is None:
        return
    kind, given = scope.kind(value), scope.kind(literal)
    report, file = scope.project.report, scope.source.file
    spoken, text = shown(value), literal.value
    pair = {kind, given}
    if kind is None or given is None:
        return
    if kind in _NUMBERS and given == STR and isinstance(text, str):
        advice = f": write {text}" if text.isdigit() else ""
        report.warning(file, literal, f"{spoken} is a number and never equal to text{advice}")
    elif kind == STR and given in _NUMBERS:
        report.warning(file, literal, f'{spoken} is text and never equal to a number: write "{text!r}"')
    elif pair == {STR, Kind("bytes")}:
        what, other = ("bytes", "text") if kind != STR else ("text", "bytes")
        fixed = f"b{ast.unparse(literal)}" if what == "bytes" else ast.unparse(literal)[1:]
        report.warning(file, literal, f"{spoken} is {what} and never equal to {other}: write {fixed}")
    elif kind == STR and isinstance(text, str) and _owner(scope, value) in {"Request", "Flow", "SipUri"}:
        if value.attr in _UPPER and text != text.upper() and text.upper() in METHODS:
            report.warning(file, literal, f'{spoken} is never "{text}": methods are in capitals, "{text.upper()}"')
        elif value.attr in _LOWER and text != text.lower():
            report.warning(file, literal, f'{spoken} is never "{text}": transports are in small letters, "{text.lower()}"')


def _owner(scope: Scope, value: ast.Attribute) -> str:
    kind = scope.kind(value.value)
    return kind.name if kind else ""
