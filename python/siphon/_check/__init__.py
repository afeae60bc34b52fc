"""What can be found wrong in a script without running it: the static half of `siphon-proxy --check`.

Names, parameters and results come from the type stubs of `siphon` and from nowhere else. What a value is, is
followed through parameters of handlers, assignments, loops and attributes; about what is not known for certain,
nothing is said.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence

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
    why_absent: Callable[[str], str | None] | None = None,
) -> list[Problem]:
    """Looks through a script and the modules beside it that it imports.

    `why_absent` says why a name cannot be imported from `siphon` in this role: an empty text when it can, and
    None when that is not known.
    """
    report = Report()
    asked = why_absent or _ask_siphon
    project = Project(Surface.parse(*stubs), report, path, include_paths, asked, _ask_namespace)
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
    if not found:
        project.report.warning(
            script.file, 1, "the script registers no handler, so every request gets what the role does without one: "
            'write "@proxy.on_request" above a function',
        )  # fmt: skip


def _ask_siphon(name: str) -> str | None:
    """Asks the module itself whether it has a name, for it knows the role."""
    try:
        import siphon
    except ImportError:
        return None
    try:
        getattr(siphon, name)
    except (ImportError, AttributeError) as error:
        return str(error)
    return ""


def _ask_namespace(namespace: str, name: str) -> str | None:
    """How a namespace says that it lacks an attribute."""
    try:
        import siphon

        owner: object = siphon
        for part in namespace.split("."):
            owner = getattr(owner, part)
    except (ImportError, AttributeError):
        return None
    try:
        getattr(owner, name)
    except AttributeError as error:
        return str(error)
    return None


def check_file(path: str | os.PathLike[str], stubs: Sequence[str], include_paths: Sequence[str] = ()) -> list[Problem]:
    """The same for a file; one that cannot be read is a finding too."""
    name = os.fspath(path)
    text = ""
    with contextlib.suppress(OSError, UnicodeError):
        with open(name, encoding="utf-8") as file:
            text = file.read()
        return check(name, text, stubs, include_paths)
    return [Problem(name, 1, 1, "error", "cannot be read")]
