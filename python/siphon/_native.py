"""The native half of `siphon` where the engine is an extension module. In the daemon the engine itself is this module."""


def _without_engine(reason: ImportError) -> ImportError:
    import importlib.util

    found = importlib.util.find_spec("siphon_sdk")
    place = (found.origin or "a directory without files") if found is not None else "nowhere"
    return ImportError(
        f"siphon's engine is not where `import siphon_sdk` leads ({place}): another distribution took that name, or "
        f"siphon-sdk is damaged ({reason}); use an environment with siphon-sdk alone",
        name="siphon",
    )


try:
    from siphon_sdk._engine import *  # pyright: ignore[reportWildcardImportFromLibrary]
except ImportError as _error:
    raise _without_engine(_error) from _error
