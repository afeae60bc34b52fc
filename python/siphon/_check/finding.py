"""What is wrong in a script, where it stands, and the guess at what was meant."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, order=True)
class Problem:
    """One finding. An error fails `--check`; a warning is only printed."""

    file: str
    """The file it is about."""
    line: int
    """Its line, from 1; 0 where none is known."""
    column: int
    """Its column, from 1; 0 where none is known."""
    severity: Severity
    """`error` or `warning`."""
    message: str
    """What is wrong, and what would be right."""

    def __str__(self) -> str:
        what = f"warning: {self.message}" if self.severity == "warning" else self.message
        place = (str(at) for at in (self.line, self.column) if at)
        return f"{':'.join((self.file, *place))}: {what}"


class Report:
    """Collects findings; the same one is kept once."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}

    def error(self, file: str, node: ast.AST | int, message: str) -> None:
        self._add(file, node, "error", message)

    def warning(self, file: str, node: ast.AST | int, message: str) -> None:
        self._add(file, node, "warning", message)

    def _add(self, file: str, node: ast.AST | int, severity: Severity, message: str) -> None:
        line, column = (node, 1) if isinstance(node, int) else place(node)
        self._found[Problem(file, line, column, severity, message)] = None

    def problems(self) -> list[Problem]:
        return sorted(self._found)


def place(node: ast.AST) -> tuple[int, int]:
    """Line and column of what a finding is about: the name after the dot, for an attribute."""
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
    if isinstance(node, ast.Attribute) and node.end_lineno and node.end_col_offset is not None:
        line, column = node.end_lineno, node.end_col_offset - len(node.attr.encode()) + 1
    return line, column


def guess(name: str, known: Iterable[str]) -> str | None:
    """The name among `known` that `name` is most likely meant to be."""
    names = sorted(known)
    # Short names differ by much when they differ by a letter.
    near = difflib.get_close_matches(name, names, 1, 0.66 if len(name) <= 4 else 0.72)
    longer = [k for k in names if k.startswith(f"{name}_") or k.endswith(f"_{name}")]
    return near[0] if near else (longer[0] if len(longer) == 1 else None)


def absent(owner: str, name: str, known: Iterable[str]) -> str:
    """Says that `owner` has no `name`, and what was probably meant."""
    near = guess(name, (k for k in known if not k.startswith("_")))
    return f'{owner} has no "{name}"' + (f'; did you mean "{near}"?' if near else "")


def shown(node: ast.expr) -> str:
    """An expression as the script writes it, when that is short enough to be read in a message."""
    text = ast.unparse(node)
    if len(text) > 40 and isinstance(node, ast.Call):
        text = f"{ast.unparse(node.func)}(…)"
    return text if len(text) <= 40 and "\n" not in text else "this"
