"""The script and the modules beside it, as far as it imports them."""

from __future__ import annotations

import ast
import importlib.util
import os
import symtable
import sys
import warnings
from collections.abc import Sequence

from .. import _surface
from .finding import Report, absent
from .kinds import FUNCTION, Kind
from .source import Source, bindings
from .stub import Surface

#: A script with more modules than this has the rest of them left unchecked.
_MOST_MODULES = 500


class Project:
    """Reads files once each, and says what modules offer."""

    def __init__(
        self,
        surface: Surface,
        report: Report,
        path: str,
        include_paths: Sequence[str],
        role: str,
        caches: Sequence[str] = (),
    ) -> None:
        self.surface, self.report, self.role = surface, report, role
        #: Names of the YAML's caches; none when they are not known.
        self.caches = frozenset(caches)
        self.roots = [os.path.dirname(path) or ".", *include_paths]
        self.path = path
        self.sources: dict[str, Source | None] = {}

    def why_absent(self, name: str) -> str | None:
        """Why a name cannot be imported from `siphon` in this role; None when it can."""
        if _surface.offered(name, self.role) or name.startswith("_"):
            return None
        if name in _surface.NAMESPACES or name in _surface.COMES_WITH or name in _surface.ABSENT["names"]:
            return _surface.why_absent(name, self.role)
        return absent("siphon", name, (*_surface.BUILT, *_surface.TYPES))

    def script(self, text: str) -> Source | None:
        """Parses the script itself."""
        return self._parse(self.path, text, "", is_package=False)

    def owns(self, name: str) -> bool:
        """Whether a module of that name belongs to the script and is loaded with it."""
        return self.find(name) is not None

    def find(self, name: str) -> tuple[str, bool] | None:
        """The file of a module of the script, and whether it is a package."""
        top = name.partition(".")[0]
        if top in sys.builtin_module_names or top in {"siphon", "siphon_sdk"}:
            return None
        inside = name.split(".")
        for root in self.roots:
            base = os.path.join(root, *inside)
            if os.path.isfile(os.path.join(base, "__init__.py")):
                return os.path.join(base, "__init__.py"), True
            if os.path.isfile(base + ".py"):
                return base + ".py", False
        return None

    def exists(self, name: str) -> bool:
        """Whether a module can be imported; True also when that cannot be told."""
        top = name.partition(".")[0]
        if top in {"siphon", *sys.stdlib_module_names} or self.owns(name) or any(os.path.isdir(os.path.join(r, top)) for r in self.roots):
            return True
        try:
            return importlib.util.find_spec(top) is not None
        except (ImportError, ValueError, AttributeError):
            return True

    def module(self, name: str) -> Source | None:
        """A module of the script."""
        if name not in self.sources and len(self.sources) < _MOST_MODULES:
            self.sources[name] = None
            found = self.find(name)
            if found and os.path.realpath(found[0]) != os.path.realpath(self.path):
                try:
                    with open(found[0], encoding="utf-8") as file:
                        text = file.read()
                except (OSError, UnicodeError) as error:
                    self.report.error(found[0], 1, f"cannot be read: {error}")
                else:
                    self.sources[name] = self._parse(found[0], text, name, is_package=found[1])
        return self.sources.get(name)

    def exported(self, module: str, name: str) -> Kind | None:
        """What a module of the script holds under a name, when that is a function."""
        source = self.module(module)
        if source is None:
            return None
        match bindings(source.tree).get(name):
            case [binding] if isinstance(binding.node, ast.FunctionDef | ast.AsyncFunctionDef):
                return Kind(FUNCTION, node=binding.node, node_name=module)
            case _:
                return None

    def _parse(self, file: str, text: str, name: str, *, is_package: bool) -> Source | None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text, file)
                compile(text, file, "exec", dont_inherit=True)
                symtable.symtable(text, file, "exec")
        except SyntaxError as error:
            at = ast.Constant(value=None, lineno=error.lineno or 1, col_offset=max((error.offset or 1) - 1, 0))
            self.report.error(file, at, f"{type(error).__name__}: {error.msg}{_advice(error)}")
            return None
        except ValueError as error:
            self.report.error(file, 1, f"{type(error).__name__}: {error}")
            return None
        return Source(file, text, tree, name, is_package)


def _advice(error: SyntaxError) -> str:
    text = error.msg or ""
    if isinstance(error, TabError):
        return "; indent with spaces only"
    if "outside async function" in text or "outside function" in text and "await" in text:
        return '; write "async def", or leave "await" out: a plain def gets the value'
    return ""
