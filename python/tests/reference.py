"""What the stubs and the reference pages say about each name: the texts of the built module.

The engine's source has the texts, so that `help(request.relay)`, an editor and the pages say the same. Signatures
come from the stubs, which `mypy.stubtest` compares with the module.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import siphon
from siphon import _surface

TOP = Path(__file__).resolve().parents[2]
STUBS = TOP / "python/siphon/__init__.pyi"
PAGES = TOP / "docs/reference/python"

_WIDTH = 112
_Named = ast.ClassDef | ast.FunctionDef


def _runtime(path: str) -> Any:
    found: Any = siphon
    for name in path.split("."):
        found = inspect.getattr_static(found, name) if isinstance(found, type) else getattr(found, name)
    return found


def text_of(path: str) -> str:
    """The text of a name such as `Request.relay`."""
    thing = _runtime(path)
    if isinstance(thing, type):
        return inspect.cleandoc(thing.__doc__ or "")
    return inspect.getdoc(thing) or ""


def named(tree: ast.Module) -> Iterator[tuple[str, _Named]]:
    """Classes and methods of the stubs that have a text of their own: the first of each name, no dunder, no Protocol."""
    seen = set()
    for item in tree.body:
        if not isinstance(item, ast.ClassDef) or any(getattr(b, "id", "") == "Protocol" for b in item.bases):
            continue
        yield item.name, item
        for member in item.body:
            if isinstance(member, ast.FunctionDef) and not member.name.startswith("__"):
                path = f"{item.name}.{member.name}"
                if path not in seen:
                    seen.add(path)
                    yield path, member


def _docstring(text: str, indent: str) -> list[str]:
    paragraphs = [
        textwrap.wrap(p, _WIDTH - len(indent), break_long_words=False, break_on_hyphens=False)
        for p in text.replace("\\", "\\\\").split("\n\n")
    ]
    lines = [f'"""{paragraphs[0][0]}', *paragraphs[0][1:]]
    for paragraph in paragraphs[1:]:
        lines += ["", *paragraph]
    if len(lines) == 1 and not lines[0].endswith('"'):
        lines[0] += '"""'
    elif len(lines) == 1:
        lines[0] += ' """'
    else:
        lines.append('"""')
    return [indent + line if line else "" for line in lines]


def stubs(source: str) -> str:
    """The stubs with the texts of the built module."""
    lines = source.split("\n")
    edits: list[tuple[int, int, list[str]]] = []
    for path, node in named(ast.parse(source)):
        first = node.body[0]
        indent = " " * (node.col_offset + 4)
        text = _docstring(text_of(path), indent)
        constant = first.value if isinstance(first, ast.Expr) else None
        assert first.end_lineno is not None
        if isinstance(constant, ast.Constant) and constant.value is ...:
            head = lines[first.lineno - 1].removesuffix("...").rstrip()
            edits.append((first.lineno - 1, first.end_lineno, [head, *text]))
        elif isinstance(constant, ast.Constant):
            edits.append((first.lineno - 1, first.end_lineno, text))
        else:
            start = min([first.lineno, *(d.lineno for d in getattr(first, "decorator_list", []))]) - 1
            edits.append((start, start, text))
    for start, end, text in sorted(edits, reverse=True):
        lines[start:end] = text
    return "\n".join(lines)


def _signature(node: ast.FunctionDef) -> str:
    arguments = ast.parse(f"def f({ast.unparse(node.args)}): ...").body[0]
    assert isinstance(arguments, ast.FunctionDef)
    given = arguments.args
    given.args = given.args[1:]
    return f"({ast.unparse(given)})" + (f" -> {ast.unparse(node.returns)}" if node.returns else "")


def _is_property(node: ast.FunctionDef) -> bool:
    return any(getattr(d, "id", "") == "property" for d in node.decorator_list)


def _entry(path: str, shown: str, node: ast.FunctionDef) -> str:
    if _is_property(node):
        assert node.returns is not None
        head = f"{shown}: {ast.unparse(node.returns)}"
    else:
        head = f"{shown}{_signature(node)}"
    return f"### `{shown}`\n\n```py\n{head}\n```\n\n{text_of(path)}\n"


def _class_page(title: str, shown: str, node: ast.ClassDef, absent: dict[str, str]) -> str:
    parts = [f"# `{title}`\n", text_of(node.name) + "\n"]
    seen = set()
    for member in node.body:
        if isinstance(member, ast.FunctionDef) and not member.name.startswith("__") and member.name not in seen:
            seen.add(member.name)
            parts.append(_entry(f"{node.name}.{member.name}", f"{shown}.{member.name}", member))
    if absent:
        parts.append("## Not in this version\n")
        parts.append("\n".join(f"- `{shown}.{name}`: {why}" for name, why in absent.items()) + "\n")
    return "\n".join(parts)


def _namespace_roles() -> str:
    rows = []
    for name, roles in _surface.NAMESPACES.items():
        state = "yes" if name in _surface.BUILT else "no"
        link = f"[`{name}`]({name}.md)" if name in _surface.BUILT else f"`{name}`"
        rows.append(f"| {link} | {', '.join(roles)} | {state} |")
    return "\n".join(["| Namespace | Roles | In this version |", "|---|---|---|", *rows])


def pages() -> dict[str, str]:
    """The reference pages, by file name."""
    tree = ast.parse(STUBS.read_text())
    classes = {n.name: n for n in tree.body if isinstance(n, ast.ClassDef)}
    of_namespace = {
        n.target.id: n.annotation.id
        for n in tree.body
        if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name) and isinstance(n.annotation, ast.Name)
    }
    made = {}
    for name in _surface.BUILT:
        page = _class_page(name, name, classes[of_namespace[name]], _surface.ABSENT.get(name, {}))
        if name == "proxy":
            utils = _class_page("proxy._utils", "proxy._utils", classes["_ProxyUtils"], _surface.ABSENT["proxy._utils"])
            page += "\n" + utils.replace("# `proxy._utils`", "## `proxy._utils`", 1)
        made[f"{name}.md"] = page
    exceptions, links = [], []
    for name in _surface.TYPES:
        if issubclass(getattr(siphon, name), Exception):
            exceptions.append(f"## `{name}`\n\n{text_of(name)}\n")
            continue
        page = _class_page(name, name, classes[name], _surface.ABSENT.get(name, {}))
        file = f"{name}.md"
        if name.lower() in _surface.BUILT:
            # File systems that do not tell case apart would have one file for both.
            file = f"{name.lower()}.md#{name.lower()}-1"
            made[f"{name.lower()}.md"] += "\n" + page.replace(f"# `{name}`", f"## `{name}`", 1)
        else:
            made[file] = page
        links.append(f"[`{name}`]({file})")
    made["exceptions.md"] = "# Exceptions\n\n" + "\n".join(exceptions)
    types = " · ".join(links)
    intro = (ast.get_docstring(tree) or "").split("\n\nSignatures are", 1)[0]
    made["README.md"] = (
        "# The package `siphon`\n\nMade from the package itself by `UPDATE_REFERENCE=1`; do not edit.\n\n"
        f"{intro}\n\nTypes: {types} · [exceptions](exceptions.md)\n\n{_namespace_roles()}\n\n"
        "Importing a namespace of another role raises ImportError that names the roles which have it; one that is not\n"
        "built yet says that it is not in this version.\n\n"
        "What tests of scripts import is on [the pages of `siphon_sdk`](kit/README.md).\n"
    )
    return made
