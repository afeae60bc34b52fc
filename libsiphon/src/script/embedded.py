"""Imports the package `siphon` from inside the program, before any `siphon` that is installed.

`offer` is called once: `files` maps module names to source texts, `native` is the engine's half.
"""

import importlib.machinery
import sys


class _Embedded:
    """Finder and loader of the embedded modules (PEP 451)."""

    def __init__(self, files):
        self.files = files

    def find_spec(self, name, path=None, target=None):
        if name not in self.files:
            return None
        package = any(other.startswith(f"{name}.") for other in self.files)
        return importlib.machinery.ModuleSpec(name, self, origin=self.filename(name), is_package=package)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__spec__.name
        module.__file__ = self.filename(name)
        exec(compile(self.files[name], module.__file__, "exec", dont_inherit=True), module.__dict__)

    def get_source(self, name):
        return self.files[name]

    @staticmethod
    def filename(name):
        return f"<siphon/{name.partition('.')[2] or '__init__'}.py>"


def _found():
    """Where `import siphon` leads without us, and whether that is ours; None when nowhere."""
    try:
        spec = importlib.machinery.PathFinder.find_spec("siphon")
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    for place in spec.submodule_search_locations or ():
        return place, importlib.machinery.PathFinder.find_spec("siphon._surface", [place]) is not None
    return spec.origin, False


def offer(files, native, host):
    """Makes `import siphon` ours. What comes back is the sentence to tell about another one, or None.

    In a `host` interpreter, one that was not started by us, the installed files serve when they are ours: they are the
    ones an editor and a debugger show.
    """
    found = _found()
    place, ours = found or (None, False)
    if host and ours:
        import siphon

        return None
    other = sys.modules.get("siphon")
    if other is not None and not hasattr(other, "_surface"):
        raise ImportError(
            f"another project's `siphon` ({place}) is imported already, so scripts cannot import ours: use an environment "
            "with siphon-sdk alone",
            name="siphon",
        )
    sys.modules["siphon._native"] = native
    sys.meta_path.insert(0, _Embedded(files))
    import siphon

    # An import of a submodule would have done this.
    siphon._native = native
    if found is None or ours:
        return None
    return (
        f"another project's `siphon` is installed at {place}: scripts get ours, and nothing in this process can import "
        "that one"
    )
