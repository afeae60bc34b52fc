"""What is wrong in a script, as `siphon-proxy --check` says it."""

from __future__ import annotations

import os
from collections.abc import Sequence

from siphon._check import Problem

from . import _engine

__all__ = ["Problem", "check"]


def check(
    path: str | os.PathLike[str], role: str = "siphon-proxy", include_paths: Sequence[str | os.PathLike[str]] = ()
) -> list[Problem]:
    """Every finding about a script and the modules beside it: errors and warnings, in the order of the text.

    The script is looked through and imported, and nothing it asks for is applied. `role` is the binary that is to run it;
    ValueError names the ones there are. A line or column of 0 is not known.
    """
    rows = _engine.check(os.fspath(path), role, [os.fspath(folder) for folder in include_paths])
    return [Problem(*row) for row in rows]
