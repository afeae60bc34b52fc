"""What the daemon adds to the interpreter: generations of a script, and stdlib output sent to the log.

A generation owns the script and every module beside it or in its include paths. Two generations live side by
side because each has its own module table, and its modules see it through an `__import__` of their own:
an import inside a function of an old generation finds the old generation's modules.
"""

import builtins
import dis
import importlib
import importlib.machinery
import importlib.util
import inspect
import io
import logging
import os
import sys
import threading
import traceback
import types
import warnings
from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import asyncio

# Writes to the log: level, text, file, line.
_Emit = Callable[[str, str, str, int], object]
# Whether a file belongs to the script.
_Owns = Callable[[str], bool]


class _Job(Protocol):
    """A handler on the asyncio loop, as the engine sees it."""

    def enter(self) -> None: ...
    def leave(self) -> None: ...
    def commit(self) -> None: ...
    def finish(self, error: BaseException | None) -> None: ...
    def cancelled(self) -> BaseException | None: ...


# How the names of this package's own files begin: what an error is told about is the script.
_OWN_FILES = __file__.rpartition("/")[0] + "/"


class _Source(importlib.machinery.SourceFileLoader):
    # No bytecode cache: its key is a whole second, and an edit within that second would be missed.
    def get_code(self, fullname: str) -> types.CodeType:
        path = self.get_filename(fullname)
        return self.source_to_code(self.get_data(path), path)


class Generation:
    """The modules of one load of the script."""

    def __init__(self, path: str, include_paths: list[str], emit: _Emit) -> None:
        self.path = path
        self.roots = [os.path.dirname(path) or ".", *include_paths]
        self.modules: dict[str, types.ModuleType] = {}
        self.foreign = set(sys.builtin_module_names) | {"siphon", "siphon_sdk"}
        self.finders: dict[str, importlib.machinery.FileFinder] = {}
        self.lock = threading.RLock()
        self.builtins = dict(vars(builtins))
        self.builtins["__import__"] = self._import
        self.builtins["print"] = _printer(emit)

    def run(self, source: str) -> types.ModuleType:
        """Compiles and runs the script itself."""
        code = compile(source, self.path, "exec", dont_inherit=True)
        module = types.ModuleType("siphon_script")
        module.__file__ = self.path
        module.__dict__["__builtins__"] = self.builtins
        self.modules["siphon_script"] = module
        _show("siphon_script", module)
        exec(code, module.__dict__)
        return module

    def owns_file(self, filename: str) -> bool:
        return any(filename.startswith(root + os.sep) for root in self.roots) or filename == self.path

    def _find(self, name: str, paths: Iterable[str]) -> ModuleSpec | None:
        for path in paths:
            finder = self.finders.get(path)
            if finder is None:
                finder = importlib.machinery.FileFinder(path, (_Source, [".py"]))
                self.finders[path] = finder
            spec = finder.find_spec(name)
            if spec is not None:
                return spec
        return None

    def _owns(self, top: str) -> bool:
        if top in self.modules:
            return True
        if top in self.foreign:
            return False
        spec = self._find(top, self.roots)
        # A mere directory (a namespace package) gives way to an installed module of that name, as on sys.path.
        if spec is None or (spec.loader is None and importlib.util.find_spec(top) is not None):
            self.foreign.add(top)
            return False
        return True

    def _load(self, name: str) -> types.ModuleType:
        module = self.modules.get(name)
        if module is not None:
            return module
        parent, _, child = name.rpartition(".")
        package: types.ModuleType | None = None
        paths: Iterable[str] | None = self.roots
        if parent:
            package = self._load(parent)
            paths = getattr(package, "__path__", None)
            if paths is None:
                raise ModuleNotFoundError(f"No module named {name!r}; {parent!r} is not a package", name=name)
            if name in self.modules:
                return self.modules[name]
        spec = self._find(name, paths or ())
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        module = importlib.util.module_from_spec(spec)
        module.__dict__["__builtins__"] = self.builtins
        self.modules[name] = module
        _show(name, module)
        try:
            if isinstance(spec.loader, _Source):
                exec(spec.loader.get_code(name), module.__dict__)
        except BaseException:
            del self.modules[name]
            raise
        if package is not None:
            setattr(package, child, module)
        return module

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        asked = name
        if level:
            package = (globals or {}).get("__package__") or ""
            if not package or not self._owns(package.partition(".")[0]):
                return builtins.__import__(asked, globals, locals, fromlist, level)
            name = importlib.util.resolve_name("." * level + name, package)
        elif not self._owns(name.partition(".")[0]):
            return builtins.__import__(asked, globals, locals, fromlist, level)
        with self.lock:
            module = self._load(name)
            if not fromlist:
                return self.modules[name.partition(".")[0]]
            if hasattr(module, "__path__"):
                names = getattr(module, "__all__", ()) if "*" in fromlist else fromlist
                for child in names:
                    if not hasattr(module, child):
                        try:
                            self._load(f"{name}.{child}")
                        except ModuleNotFoundError as error:
                            if error.name != f"{name}.{child}":
                                raise
            return module

    def show(self) -> None:
        """Makes these the modules that the rest of the interpreter finds by name."""
        for name, module in self.modules.items():
            _show(name, module)

    def discard(self) -> None:
        """Takes back what a failed or replaced load showed to the rest of the interpreter."""
        for name, module in self.modules.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


_shown: set[str] = set()


def _show(name: str, module: types.ModuleType) -> None:
    # dataclasses, pickle and typing look classes up by module name. The newest generation is what they find;
    # an installed module of that name stays.
    if name in _shown or name not in sys.modules:
        _shown.add(name)
        sys.modules[name] = module


# Calls that wait. A sync handler that reaches one runs in the lane (`script.sync: auto`).
WAITING_MODULES = frozenset({
    "requests", "urllib", "http", "socket", "subprocess", "ssl", "smtplib", "ftplib", "sqlite3", "psycopg2", "psycopg",
    "redis", "pymysql", "mysql", "ldap", "ldap3", "dns", "httpx", "selectors", "select",
})
WAITING_CALLS = frozenset({
    ("time", "sleep"), ("os", "system"), ("os", "popen"), ("asyncio", "run"), ("timer", "sleep"),
    *(("rtpengine", verb) for verb in (
        "offer", "answer", "delete", "ping", "query", "block_media", "unblock_media", "silence_media", "unsilence_media",
        "play_media", "stop_media", "play_dtmf", "start_recording", "stop_recording",
    )),
})
# ... and those that wait when called with this keyword.
WAITING_KEYWORDS = {("proxy", "send_request"): "wait_for_response"}


# Libraries whose awaitables only an asyncio loop can resume. Installed packages count too: what they await is theirs.
LOOP_MODULES = frozenset({"asyncio", "aiohttp", "httpx", "anyio"})


def _reached(function: Any, owns_file: _Owns) -> Iterator[tuple[types.CodeType, str, Any]]:
    """Yields (code, name, value) for each global the function can reach by plain names, its callees included."""
    seen: set[types.CodeType] = set()
    todo: list[Any] = [inspect.unwrap(function)]
    while todo:
        current = todo.pop()
        current = getattr(current, "__func__", current)
        code = getattr(current, "__code__", None)
        if code is None or code in seen or not owns_file(code.co_filename):
            continue
        seen.add(code)
        codes = [code]
        while codes:
            inner = codes.pop()
            codes.extend(c for c in inner.co_consts if isinstance(c, types.CodeType))
            imported = {i.argval for i in dis.get_instructions(inner) if i.opname == "IMPORT_NAME"}
            for name in inner.co_names:
                value = sys.modules.get(name) if name in imported else current.__globals__.get(name)
                if value is None:
                    continue
                yield inner, name, value
                if isinstance(value, types.FunctionType):
                    todo.append(value)
                elif isinstance(value, types.ModuleType):
                    attributes = (getattr(value, attribute, None) for attribute in inner.co_names)
                    todo.extend(a for a in attributes if isinstance(a, types.FunctionType))


def _home(value: Any) -> str:
    if isinstance(value, types.ModuleType):
        return value.__name__
    return getattr(value, "__module__", None) or ""


def first_waiting_call(function: Any, owns_file: _Owns) -> str | None:
    """Names the first call that waits among those `function` can reach by plain names, or None."""
    for code, name, value in _reached(function, owns_file):
        names = code.co_names
        home = _home(value)
        if home.partition(".")[0] in WAITING_MODULES:
            return home
        if isinstance(value, types.ModuleType):
            calls = [(home, attribute) for attribute in names]
        elif home == "siphon" or type(value).__module__ == "siphon":
            calls = [(name, attribute) for attribute in names]
        else:
            calls = [(home, getattr(value, "__name__", ""))]
        for call in calls:
            keyword = WAITING_KEYWORDS.get(call)
            if call in WAITING_CALLS or (keyword and keyword in repr(code.co_consts)):
                return ".".join(call)
    return None


def needs_loop(function: Any, owns_file: _Owns) -> str | None:
    """Names the first asyncio library that an `async def` can reach, or None."""
    for _, _, value in _reached(function, owns_file):
        home = _home(value).partition(".")[0]
        if home in LOOP_MODULES:
            return home
        origin = getattr(sys.modules.get(home), "__file__", None) or ""
        if "site-packages" in origin or "dist-packages" in origin:
            return home
    return None


def wrong_signature(function: Callable[..., object], names: Sequence[str]) -> str | None:
    """Says why `function` cannot be called with arguments for `names`, or None."""
    try:
        # A wrapper is what is called, whatever it calls in turn.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return None
    try:
        signature.bind(*names)
    except TypeError:
        expected = ", ".join(names)
        return f"takes {signature}, but is called with ({expected})"
    return None


def is_async(function: Callable[..., object]) -> bool:
    return inspect.iscoroutinefunction(inspect.unwrap(function)) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)
    )


def where(function: Any) -> tuple[str, int, str]:
    """File and line of the `def`, and its name."""
    function = inspect.unwrap(function)
    code = getattr(function, "__code__", None)
    if code is None:
        code = getattr(getattr(type(function), "__call__", None), "__code__", None)
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    if code is None:
        return "", 0, name
    return code.co_filename, code.co_firstlineno, name


def describe(error: BaseException, owns_file: _Owns | None = None) -> tuple[str, str, int]:
    """The traceback as text, and file and line of the script's innermost frame (or of the syntax error)."""
    report = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    link: traceback.TracebackException | None = report
    while link is not None:
        ours = [frame for frame in link.stack if not frame.filename.startswith(_OWN_FILES)]
        link.stack = traceback.StackSummary.from_list(ours)
        link = link.__cause__ or link.__context__
    text = "".join(report.format())
    filename, line = "", 0
    for frame, number in traceback.walk_tb(error.__traceback__):
        name = frame.f_code.co_filename
        if not name.startswith(("<frozen", _OWN_FILES)) and (owns_file is None or owns_file(name)):
            filename, line = name, number or 0
    if isinstance(error, SyntaxError) and error.filename:
        filename, line = error.filename, error.lineno or 0
    return text.rstrip("\n"), filename, line


def _caller(depth: int = 2) -> tuple[str, int]:
    frame = sys._getframe(depth)
    return frame.f_code.co_filename, frame.f_lineno


def _printer(emit: _Emit) -> Callable[..., None]:
    def print(
        *values: object, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False
    ) -> None:
        if file is None or file in (sys.stdout, sys.stderr):
            text = (" " if sep is None else sep).join(str(value) for value in values)
            filename, line = _caller()
            emit("info", text, filename, line)
        else:
            builtins.print(*values, sep=sep, end=end, file=file, flush=flush)

    return print


class _LogStream(io.TextIOBase):
    """A line of text written here becomes a log entry."""

    def __init__(self, level: str, emit: _Emit) -> None:
        super().__init__()
        self.level, self.emit, self.partial = level, emit, threading.local()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        pending = getattr(self.partial, "text", "") + text
        *lines, rest = pending.split("\n")
        self.partial.text = rest[-65536:]
        for line in lines:
            if line.strip():
                filename, number = _caller()
                self.emit(self.level, line, filename, number)
        return len(text)


class _LogHandler(logging.Handler):
    def __init__(self, emit: _Emit) -> None:
        super().__init__()
        self.emit_record = emit

    def emit(self, record: logging.LogRecord) -> None:
        level = (
            "error" if record.levelno >= logging.ERROR
            else "warning" if record.levelno >= logging.WARNING
            else "info" if record.levelno >= logging.INFO
            else "debug"
        )
        try:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
        except Exception as error:
            text = f"log call failed: {error}"
        self.emit_record(level, text, record.pathname, record.lineno)


def install(emit: _Emit) -> None:
    """Sends stdlib logging, warnings, and whatever writes to stdout or stderr, to the log. Once per process."""
    sys.stdout, sys.stderr = _LogStream("info", emit), _LogStream("error", emit)
    root = logging.getLogger()
    root.addHandler(_LogHandler(emit))
    root.setLevel(logging.DEBUG)
    for noisy in ("asyncio", "concurrent"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, file: Any = None, line: str | None = None
    ) -> None:
        emit("warning", f"{category.__name__}: {message}", filename, lineno)

    def thread_died(args: threading.ExceptHookArgs) -> None:
        report = traceback.format_exception(args.exc_type, args.exc_value, args.exc_traceback)
        emit("error", "".join(report).rstrip("\n"), "", 0)

    def not_raised(args: "sys.UnraisableHookArgs") -> None:
        emit("error", f"{args.err_msg or 'Exception ignored'}: {args.exc_value!r}", "", 0)

    warnings.showwarning = show
    threading.excepthook = thread_died
    sys.unraisablehook = not_raised
    sys.setswitchinterval(0.0005)


def set_result(future: "asyncio.Future[Any]", value: object) -> None:
    """Resolves an asyncio future that may have been cancelled meanwhile."""
    if not future.done():
        future.set_result(value)


def set_exception(future: "asyncio.Future[Any]", error: BaseException) -> None:
    """The same with an exception."""
    if not future.done():
        future.set_exception(error)


class _Drive:
    """Awaits a handler's coroutine step by step, and lets the shard have what was recorded at each await."""

    def __init__(self, coroutine: Coroutine[Any, Any, object], job: _Job) -> None:
        self.coroutine, self.job = coroutine, job

    def __await__(self) -> Generator[Any, Any, None]:
        coroutine, job = self.coroutine, self.job
        send: Callable[[Any], Any] = coroutine.send
        value: Any = None
        while True:
            job.enter()
            try:
                awaited = send(value)
            except StopIteration:
                job.leave()
                job.finish(None)
                return
            except BaseException as error:
                job.leave()
                job.finish(error)
                return
            job.leave()
            job.commit()
            try:
                send, value = coroutine.send, (yield awaited)
            except BaseException as error:
                send, value = coroutine.throw, job.cancelled() or error


class Loop:
    """The asyncio loop of the node, on a thread of its own unless one is given that somebody else runs."""

    def __init__(self, loop: "asyncio.AbstractEventLoop | None" = None) -> None:
        import asyncio

        self.loop = loop or asyncio.new_event_loop()
        self.tasks: dict[int, tuple[asyncio.Task[None], _Job]] = {}
        if loop is not None:
            return
        threading.Thread(target=self.loop.run_forever, name="siphon-asyncio", daemon=True).start()

    def submit(self, number: int, coroutine: Coroutine[Any, Any, object], job: _Job) -> None:
        self.loop.call_soon_threadsafe(self._start, number, coroutine, job)

    def _start(self, number: int, coroutine: Coroutine[Any, Any, object], job: _Job) -> None:
        error = job.cancelled()
        if error is not None:
            # A task that is cancelled before its first step never runs, and would never be finished.
            coroutine.close()
            job.finish(error)
            return

        async def run() -> None:
            await _Drive(coroutine, job)

        task = self.loop.create_task(run())
        self.tasks[number] = (task, job)
        task.add_done_callback(lambda _: self.tasks.pop(number, None))

    def cancel_ended(self) -> None:
        def cancel() -> None:
            for task, job in list(self.tasks.values()):
                if job.cancelled() is not None:
                    task.cancel()

        self.loop.call_soon_threadsafe(cancel)

    def cancel(self, number: int) -> None:
        def cancel() -> None:
            if number in self.tasks:
                self.tasks[number][0].cancel()

        self.loop.call_soon_threadsafe(cancel)
