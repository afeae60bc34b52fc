"""What can be found wrong in a script without running it: the static half of `siphon-proxy --check`.

Names, parameters and results come from the type stubs of `siphon` and from nowhere else. What a value is, is
followed through parameters of handlers, assignments, loops and attributes; about what is not known for certain,
nothing is said.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import deciding, handlers, names, reach
from .finding import Problem, Report
from .project import Project
from .scope import Scope
from .source import Source
from .stub import Surface
from .walk import Walk

__all__ = ["Problem", "check"]


def check(
    path: str,
    text: str,
    stubs: Sequence[str],
    include_paths: Sequence[str] = (),
    role: str = "siphon-proxy",
    caches: Sequence[str] = (),
) -> list[Problem]:
    """Looks through the text of a script of `role`, and through the modules beside it that it imports.

    `caches` are the names that the YAML gives to caches, when there are any.
    """
    report = Report()
    project = Project(Surface.parse(*stubs), report, path, include_paths, role, caches)
    script = project.script(text)
    if script is not None:
        _check(project, script)
    return report.problems()


def _check(project: Project, script: Source) -> None:
    found: list[handlers.Handler] = []
    scopes: list[tuple[Source, Scope, Walk]] = []
    todo, seen = [script], {script.file}
    while todo:
        source = todo.pop(0)
        scope = Scope.of_module(project, source)
        own = list(handlers.handlers(scope, source))
        walk = Walk(scope, source, own)
        walk.run()
        names.check(project, source)
        reach.check(project, scope, source, own)
        found += own
        scopes.append((source, scope, walk))
        for module in project.sources.values():
            if module is not None and module.file not in seen:
                seen.add(module.file)
                todo.append(module)
    handlers.check(project, found)
    for handler in dict.fromkeys(found):
        scope, walk = next((s, w) for source, s, w in scopes if source is handler.source)
        deciding.check(walk.inside(handler.function, scope), handler)
    registers = found or any(handlers.registers(scope, source) for source, scope, _ in scopes)
    if not registers and not project.report.problems():
        project.report.warning(
            script.file, 1, "the script registers no handler, so every request gets what the role does without one: "
            'write "@proxy.on_request" above a function',
        )  # fmt: skip
