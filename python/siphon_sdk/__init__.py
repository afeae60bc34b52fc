"""The test kit for scripts, and the engine behind `siphon`.

Importing it makes `import siphon` give the package that belongs to this engine, whatever else is installed.
`SipTestHarness` and the rest of `siphon_sdk.testing` are here too.
"""

import importlib
from typing import TYPE_CHECKING, Any

from . import _engine
from ._engine import __version__ as __version__

if TYPE_CHECKING:
    from ._check import Problem as Problem
    from ._check import check as check
    from .testing import *

_engine.install()


def __getattr__(name: str) -> Any:
    # Loaded when it is asked for: the commands of the wheel and pytest's plugin start without it.
    if name in ("Problem", "check"):
        from . import _check

        return getattr(_check, name)
    if name != "__all__" and name.startswith("_"):
        raise AttributeError(f"module 'siphon_sdk' has no attribute {name!r}")
    # `from . import` would ask here for it.
    testing = importlib.import_module(".testing", __name__)
    if name == "__all__":
        return [*testing.__all__, "Problem", "check"]
    if name in testing.__all__:
        return getattr(testing, name)
    raise AttributeError(f"module 'siphon_sdk' has no attribute {name!r}")
