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
    """Where `import siphon` leads without us, and whose that is: `ours`, `another`, or `overwritten`, which is ours with
    another project's `__init__.py`. None when it leads nowhere.

    Nothing is imported to find out: what is not ours must not run, and ours may be half imported just now.
    """
    try:
        spec = importlib.machinery.PathFinder.find_spec("siphon")
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    for place in spec.submodule_search_locations or ():
        if importlib.machinery.PathFinder.find_spec("siphon._surface", [place]) is None:
            return place, "another"
        return place, "ours" if _names_surface(spec.loader) else "overwritten"
    return spec.origin, "another"


def _names_surface(loader):
    """Whether this `__init__` speaks of `_surface`, as ours does. One without a source is taken for ours."""
    try:
        source = loader.get_source("siphon")
    except (AttributeError, ImportError):
        # A folder without an `__init__.py`: the other project was uninstalled, and took it along.
        return False
    return source is None or "_surface" in source


def offer(files, native, host):
    """Makes `import siphon` ours. What comes back is the sentence to tell about another one, or None.

    In a `host` interpreter, one that was not started by us, the installed files serve when they are ours: they are the
    ones an editor and a debugger show.
    """
    place, whose = _found() or (None, None)
    if host and whose == "ours":
        import siphon

        return None
    repair = "uninstall that project, then `pip install --force-reinstall` the wheel of siphon-sdk"
    other = sys.modules.get("siphon")
    if other is not None and not hasattr(other, "_surface"):
        if whose == "overwritten":
            raise ImportError(f"another project overwrote `siphon` at {place}, and is imported: {repair}", name="siphon")
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
    if whose == "overwritten":
        return f"another project overwrote `siphon` at {place}: scripts get ours, other programs do not; {repair}"
    if whose == "another":
        return (
            f"another project's `siphon` is installed at {place}: scripts get ours, and nothing in this process can "
            "import that one"
        )
    return None
