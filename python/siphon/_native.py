"""The native half of `siphon` where the engine is an extension module. In the daemon the engine itself is this module."""

try:
    from siphon_sdk._engine import *
except ImportError as error:
    import importlib.util

    _found = importlib.util.find_spec("siphon_sdk")
    _place = _found.origin if _found is not None else None
    raise ImportError(
        f"siphon's engine is not where `import siphon_sdk` leads ({_place or 'nowhere'}): another distribution took that "
        "name, or siphon-sdk is damaged; use an environment with siphon-sdk alone",
        name="siphon",
    ) from error
