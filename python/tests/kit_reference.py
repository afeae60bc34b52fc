"""What the reference pages say about `siphon_sdk`: the signatures and docstrings of its source."""

import ast
import inspect
from dataclasses import dataclass
from pathlib import Path

from reference import PAGES, TOP

KIT = PAGES / "kit"

_SOURCES = {
    "python/siphon_sdk/harness.py": ["SipTestHarness"],
    "python/siphon_sdk/results.py": ["RequestResult", "CallResult", "ReplyResult"],
    "python/siphon_sdk/agent.py": ["UserAgent", "Call"],
    "python/siphon_sdk/message.py": ["Message", "differences"],
    "python/siphon_sdk/observed.py": [
        "Log", "LogLine", "Metrics", "Registrar", "Binding", "Decision", "Dns", "MediaEngines", "MediaSession",
        "MediaCommand",
    ],
    "python/siphon_sdk/_world/http.py": ["Http", "HttpRequest", "Fake"],
    "python/siphon_sdk/_world/errors.py": ["HandlerHangs", "RealNetwork"],
    "python/siphon_sdk/_check.py": ["check"],
    "python/siphon/_check/finding.py": ["Problem"],
}
"""Where each public name is, in the order of the pages."""

ALIASES = {
    "python/siphon_sdk/_setup.py": ["Config"],
    "python/siphon_sdk/_writing.py": ["Headers"],
    "python/siphon_sdk/harness.py": ["Transport"],
    "python/siphon_sdk/observed.py": ["Level"],
}
"""Names that stand in signatures only."""

_MADE_BY_TESTS = ("SipTestHarness", "Message")
"""Classes whose objects a test makes itself; the others are given by those."""

_NOT_FOR_TESTS = {"Http.serves", "Http.answer", "Fake.fits"}
"""What the pretend network asks of the table of faked answers."""

_Named = ast.ClassDef | ast.FunctionDef


@dataclass(frozen=True)
class Member:
    """A public method, property or field of a class."""

    name: str
    head: str
    text: str
    kinds: frozenset[str]
    """The names in what it gives."""


def definitions() -> dict[str, _Named]:
    """The classes and functions that have an entry."""
    found: dict[str, _Named] = {}
    for path, names in _SOURCES.items():
        there = {n.name: n for n in _tree(path).body if isinstance(n, (ast.ClassDef, ast.FunctionDef))}
        found |= {name: there[name] for name in names}
    return found


def _tree(path: str) -> ast.Module:
    return ast.parse((TOP / path).read_text())


def _names(node: ast.expr | None) -> frozenset[str]:
    return frozenset() if node is None else frozenset(n.id for n in ast.walk(node) if isinstance(n, ast.Name))


def _fields(body: list[ast.stmt], of_self: bool) -> list[Member]:
    """Annotated names with the text after each: those of a dataclass, or those that `__init__` gives to `self`."""
    found = []
    for item, after in zip(body, [*body[1:], None], strict=True):
        if not isinstance(item, ast.AnnAssign):
            continue
        target = item.target
        name = target.attr if of_self and isinstance(target, ast.Attribute) else getattr(target, "id", "_")
        if name.startswith("_"):
            continue
        value = after.value if isinstance(after, ast.Expr) else None
        text = value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""
        found.append(Member(name, f": {ast.unparse(item.annotation)}", inspect.cleandoc(text), _names(item.annotation)))
    return found


def _argument(node: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(node) + (f" = {ast.unparse(default)}" if default is not None else "")


def _signature(node: ast.FunctionDef, method: bool) -> str:
    """The arguments, one a line where one line would be long."""
    given = node.args
    defaults = [None] * (len(given.args) - len(given.defaults)) + given.defaults
    rows = [_argument(*pair) for pair in zip(given.args, defaults, strict=True)][1 if method else 0 :]
    if given.vararg or given.kwonlyargs:
        rows.append("*" + (ast.unparse(given.vararg) if given.vararg else ""))
    rows += [_argument(*pair) for pair in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if given.kwarg:
        rows.append(f"**{ast.unparse(given.kwarg)}")
    gives = f" -> {ast.unparse(node.returns)}" if node.returns and node.name != "__init__" else ""
    line = f"({', '.join(rows)}){gives}"
    return line if len(line) < 90 else "(\n" + "".join(f"    {row},\n" for row in rows) + f"){gives}"


def members(node: ast.ClassDef) -> list[Member]:
    """The public members of a class, in the order of its source."""
    found = _fields(node.body, of_self=False)
    for item in node.body:
        if not isinstance(item, ast.FunctionDef):
            continue
        if item.name == "__init__":
            found += _fields(item.body, of_self=True)
        if item.name.startswith("_") or f"{node.name}.{item.name}" in _NOT_FOR_TESTS:
            continue
        text = ast.get_docstring(item) or ""
        is_property = any(getattr(d, "id", "") == "property" for d in item.decorator_list)
        assert item.returns is not None, f"{node.name}.{item.name} does not say what it gives"
        head = f": {ast.unparse(item.returns)}" if is_property else _signature(item, method=True)
        found.append(Member(item.name, head, text, _names(item.returns)))
    return found


def _links(kinds: frozenset[str], own: str, known: dict[str, _Named]) -> str:
    there = sorted(k for k in kinds if k != own and isinstance(known.get(k), ast.ClassDef))
    return "\n\nSee " + ", ".join(f"[`{kind}`]({kind}.md)" for kind in there) + "." if there else ""


def _class_page(node: ast.ClassDef, known: dict[str, _Named]) -> str:
    parts = [f"# `{node.name}`\n", (ast.get_docstring(node) or "") + "\n"]
    if node.name in _MADE_BY_TESTS:
        made = next(i for i in node.body if isinstance(i, ast.FunctionDef) and i.name == "__init__")
        parts.insert(1, f"```py\n{node.name}{_signature(made, method=True)}\n```\n")
    for m in members(node):
        parts.append(f"## `{m.name}`\n\n```py\n{m.name}{m.head}\n```\n\n{m.text}{_links(m.kinds, node.name, known)}\n")
    return "\n".join(parts)


def _alias(path: str, name: str) -> str:
    for item in _tree(path).body:
        target = item.target if isinstance(item, ast.AnnAssign) else item.targets[0] if isinstance(item, ast.Assign) else None
        if isinstance(item, (ast.Assign, ast.AnnAssign)) and isinstance(target, ast.Name) and target.id == name:
            value = item.value
            assert value is not None
            return str(value.value) if isinstance(value, ast.Constant) else ast.unparse(value)
    raise LookupError(f"{path} has no {name}")


def _first_sentence(text: str) -> str:
    paragraph = " ".join(text.split("\n\n", 1)[0].split())
    return paragraph.partition(". ")[0].removesuffix(".") + "."


def pages() -> dict[str, str]:
    """The pages of the kit, by file name."""
    known = definitions()
    made = {f"{name}.md": _class_page(node, known) for name, node in known.items() if isinstance(node, ast.ClassDef)}
    rows = [
        f"| [`{name}`]({name}.md) | {_first_sentence(ast.get_docstring(node) or '')} |"
        for name, node in known.items()
        if isinstance(node, ast.ClassDef)
    ]
    functions = [
        f"## `{name}`\n\n```py\n{name}{_signature(node, method=False)}\n```\n\n{ast.get_docstring(node)}"
        f"{_links(_names(node.returns), name, known)}\n"
        for name, node in known.items()
        if isinstance(node, ast.FunctionDef)
    ]
    aliases = [
        f"| `{name}` | `{_alias(path, name).replace('|', chr(92) + '|')}` |"
        for path, names in ALIASES.items()
        for name in names
    ]
    made["README.md"] = "\n".join(
        [
            "# The package `siphon_sdk`: the test kit\n",
            "Made from the package itself by `UPDATE_REFERENCE=1`; do not edit.\n",
            "What tests of a script import: `from siphon_sdk import SipTestHarness`. A test makes a harness, or has one from",
            "the fixtures `harness` and `siphon` of the wheel's pytest plugin; everything else is given by it. How to use it:",
            "[the guide](../../../guide/scripting.md), [the README of the package](../../../../python/README.md).\n",
            "| Class | |",
            "|---|---|",
            *rows,
            "",
            *functions,
            "## Names in signatures\n",
            "| Name | Stands for |",
            "|---|---|",
            *aliases,
            "",
        ]
    )
    return made
