"""The test kit for scripts, and the engine behind `siphon`.

Importing it makes `import siphon` give the package that belongs to this engine, whatever else is installed.
"""

from . import _engine
from ._engine import __version__ as __version__

_engine.install()
