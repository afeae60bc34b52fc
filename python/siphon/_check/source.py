"""One Python file of a script: its tree, its functions, and what its names are bound to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

Function = ast.FunctionDef | ast.AsyncFunctionDef
Scoped = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


@dataclass(frozen=True)
class Binding:
    """One way a name gets a value: from an expression, as an item of one, or in a way not followed."""

    value: ast.expr | None = None
    is_item: bool = False
    #: The import or `def` that binds it.
    node: ast.AST | None = None
    alias: ast.alias | None = None


Bindings = dict[str, list[Binding]]


@dataclass(eq=False)
class Source:
    """A file that has been read and parsed."""

    file: str
    text: str
    tree: ast.Module
    #: The module's name; empty for the script itself.
    name: str = ""
    is_package: bool = False
    #: Names that the file asks for before it uses them, with `hasattr` or `getattr`.
    probed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for node in ast.walk(self.tree):
            match node:
                case ast.Call(func=ast.Name(id="hasattr" | "getattr"), args=[_, ast.Constant(value=str(name)), *_]):
                    self.probed.add(name)
                case ast.Call(func=ast.Attribute(attr="has_cache"), args=[ast.Constant(value=str(name))]):
                    self.probed.add(name)
                case _:
                    pass


class _Collector(ast.NodeVisitor):
    """Finds what is bound in one scope, without what nested scopes bind for themselves."""

    def __init__(self) -> None:
        self.found: Bindings = {}
        self.elsewhere: set[str] = set()

    def bind(self, target: ast.AST, binding: Binding) -> None:
        if isinstance(target, ast.Name):
            self.found.setdefault(target.id, []).append(binding)
        elif isinstance(target, ast.Tuple | ast.List):
            for element in target.elts:
                self.bind(element, Binding())
        elif isinstance(target, ast.Starred):
            self.bind(target.value, Binding())

    def name(self, name: str | None, binding: Binding | None = None) -> None:
        if name:
            self.found.setdefault(name, []).append(binding or Binding())

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self.bind(target, Binding(node.value))
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.bind(node.target, Binding(node.value) if node.value else Binding())
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.bind(node.target, Binding())
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.bind(node.target, Binding(node.value))
        self.generic_visit(node)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        item = isinstance(node, ast.For)
        self.bind(node.target, Binding(node.iter, is_item=True) if item else Binding())
        self.generic_visit(node)

    visit_AsyncFor = visit_For

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            if item.optional_vars:
                self.bind(item.optional_vars, Binding())
        self.generic_visit(node)

    visit_AsyncWith = visit_With

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        self.name(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        self.name(node.name)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        self.name(node.rest)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            name = alias.asname or (alias.name.partition(".")[0] if isinstance(node, ast.Import) else alias.name)
            self.name(name, Binding(node=node, alias=alias))

    visit_ImportFrom = visit_Import

    def visit_Delete(self, node: ast.Delete) -> None:
        for target in node.targets:
            self.bind(target, Binding())

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        self.elsewhere.update(node.names)

    visit_Nonlocal = visit_Global

    def visit_FunctionDef(self, node: Function) -> None:
        # What decorators make of a function is not followed.
        self.name(node.name, Binding(node=node) if not node.decorator_list else Binding())

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.name(node.name)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        pass


def bindings(node: ast.Module | Scoped) -> Bindings:
    """What the scope of `node` binds: by name, each way it does."""
    collector = _Collector()
    body = [node.body] if isinstance(node, ast.Lambda) else node.body
    for statement in body:
        collector.visit(statement)
    is_module = isinstance(node, ast.Module)
    for name in set() if is_module else collector.elsewhere:
        collector.found.pop(name, None)
    # A nested function that declares a name as not its own may give it anything.
    for inner in ast.walk(node):
        if isinstance(inner, ast.Global if is_module else ast.Nonlocal):
            for name in inner.names:
                if is_module or name in collector.found:
                    collector.name(name)
    return collector.found


def parameters(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (a for a in (arguments.vararg, arguments.kwarg) if a)


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every `def`, nested ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
