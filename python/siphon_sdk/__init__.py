"""The test kit for scripts, and the engine behind `siphon`.

Importing it makes `import siphon` give the package that belongs to this engine, whatever else is installed.
`SipTestHarness` and the rest of `siphon_sdk.testing` are here too.
"""

from typing import TYPE_CHECKING, Any

from . import _engine
from ._engine import __version__ as __version__

if TYPE_CHECKING:
    from ._check import Problem, check
    from .testing import (
        Binding,
        Call,
        Decision,
        Dns,
        Log,
        LogLine,
        Message,
        Metrics,
        Registrar,
        ReplyResult,
        RequestResult,
        SipTestHarness,
        UserAgent,
        differences,
    )

__all__ = [
    "Binding",
    "Call",
    "Decision",
    "Dns",
    "Log",
    "LogLine",
    "Message",
    "Metrics",
    "Problem",
    "Registrar",
    "ReplyResult",
    "RequestResult",
    "SipTestHarness",
    "UserAgent",
    "check",
    "differences",
]

_engine.install()


def __getattr__(name: str) -> Any:
    # Loaded when it is asked for: the commands of the wheel and pytest's plugin start without it.
    if name in {"Problem", "check"}:
        from . import _check

        return getattr(_check, name)
    if name in __all__:
        from . import testing

        return getattr(testing, name)
    raise AttributeError(f"module 'siphon_sdk' has no attribute {name!r}")
