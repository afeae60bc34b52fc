"""What ends a handler that waits for something outside of the pretended network: nothing there would ever wake it."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import os
import signal
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

from siphon_sdk._world.errors import HandlerHangs, WorldClosed
from siphon_sdk._world.inside import here

if TYPE_CHECKING:
    from siphon_sdk._world.world import World

# Taken before anything is patched.
_start, _join, _sleep = threading.Thread.start, threading.Thread.join, time.sleep

# Real seconds that a handler may have the floor.
PATIENCE = 10.0

_DEBUGGERS = {"bdb", "pdb", "code", "cmd", "debugpy", "ipdb", "IPython", "pudb"}
_BUNDLES = ("_pydev", "pydevd")
_OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_LIBRARY = sysconfig.get_paths()["stdlib"] + os.sep
# Waits for hosts that the test allowed; they have limits of their own.
_REAL = tuple(f"{_OWN}_world{os.sep}{name}" for name in ("real.py", "sockets.py", "tls.py"))
# Behind their frames the script begins.
_EDGE = tuple(_OWN + name for name in ("harness.py", "agent.py", f"_world{os.sep}stage.py", f"_world{os.sep}watch.py"))


def of_debugger(frame: FrameType) -> bool:
    """Whether that is code of a debugger, for which time is real."""
    package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    return package in _DEBUGGERS or package.startswith(_BUNDLES)


@contextlib.contextmanager
def collecting_nothing() -> Iterator[None]:
    """No garbage is collected meanwhile. What is bound to the kit's thread is not to be collected on another one, and
    CPython before 3.12 holds a lock while it lists frames, which a finaliser may want."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def begin(thread: threading.Thread) -> None:
    """Starts a thread of the kit's own."""
    here.is_kit = True
    try:
        with collecting_nothing():
            _start(thread)
    finally:
        here.is_kit = False


def _frames(thread: int) -> list[FrameType]:
    """The stack of a thread, outermost first."""
    frames: list[FrameType] = []
    with collecting_nothing():
        frame = sys._current_frames().get(thread)
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def debugged(thread: int) -> bool:
    """Whether somebody steps through the code, stands at a breakpoint, or waits for a
    real host that the test allowed. Measuring of coverage is not that."""
    tracers = [sys.gettrace(), threading.gettrace()]
    if any(t is not None and not str(getattr(type(t), "__module__", "")).startswith("coverage") for t in tracers):
        return True
    return any(of_debugger(f) or f.f_code.co_filename.startswith(_REAL) for f in _frames(thread))


def hang(thread: int) -> HandlerHangs:
    """The error that names the handler and the line it waits at."""
    frames = _frames(thread)
    edges = [at for at, frame in enumerate(frames) if frame.f_code.co_filename.startswith(_EDGE)]
    inner = frames[edges[-1] + 1 :] if edges else frames
    ours = [f for f in inner if not f.f_code.co_filename.startswith((_OWN, _LIBRARY, "<frozen"))]
    where = "a handler"
    if ours:
        where = f"handler {ours[0].f_code.co_name} ({ours[-1].f_code.co_filename}:{ours[-1].f_lineno})"
    return HandlerHangs(
        f"{where} waits for something outside the network: it did not come back for {PATIENCE:g} s of real time"
    )


def end(thread: int) -> None:
    """Ends a loop of Python code on another thread; one that waits in C ends when its wait does."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(WorldClosed))


class Watched:
    """While the kit's thread runs the node: Control-C and a handler that hangs there reach the test."""

    active: Watched | None = None
    _choosing = threading.Lock()
    """Held from finding that a handler hangs until the signal to it is under way."""

    def __init__(self, world: World) -> None:
        self.world, self.thread = world, threading.get_ident()
        self._before: Any = None
        self._outer: Watched | None = None
        self._over = self._bitten = self._felt = False

    def __enter__(self) -> None:
        self._outer, Watched.active = Watched.active, self
        self.world.kit_thread = self.thread
        main = threading.current_thread() is threading.main_thread()
        # Ignored is what a shell makes of it for commands in the background, CI's among them.
        if main and signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_IGN):
            self._before = signal.signal(signal.SIGINT, self._interrupted)
            _Dog.wake()

    def __exit__(self, *ending: object) -> None:
        self._over = True
        with Watched._choosing:
            Watched.active = self._outer
        # A signal that is under way is ours: the handler that was there before would take it for Control-C.
        for _ in range(1000):
            if self._felt or not self._bitten:
                break
            _sleep(0.001)
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
        fault, self.world.fault = self.world.fault, None
        if fault is not None:
            # What the script layer made of it is not what happened.
            raise fault from None

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        self._felt = True
        if self.world.fault is None:
            if self._before is signal.SIG_IGN:
                return
            self.world.fault = KeyboardInterrupt()
        if self._over:
            return
        # A script may catch every Exception and try again; the test is told when the script has ended.
        raise self.world.fault if isinstance(self.world.fault, KeyboardInterrupt) else WorldClosed("the handler hangs")

    def bite(self) -> None:
        """Ends the handler that hangs on the kit's thread. A signal interrupts waits that are not Python code, too."""
        if debugged(self.thread):
            return
        with Watched._choosing:
            runs = Watched.active is self and not self._over and self.world.turn % 2 == 1
            if runs and self._before is not None:
                # One that went on all the same hangs where it hung at first.
                self.world.fault = self.world.fault or hang(self.thread)
                self._bitten, self._felt = True, False
                signal.pthread_kill(self.thread, signal.SIGINT)


class _Dog(threading.Thread):
    """Looks now and then whether the kit's thread is still in the same handler."""

    _one: _Dog | None = None

    def __init__(self) -> None:
        super().__init__(name="siphon-kit-watch", daemon=True)
        self._leash = threading.Lock()
        self._leash.acquire()

    @classmethod
    def wake(cls) -> None:
        if cls._one is None or not cls._one.is_alive():
            cls._one = cls()
            begin(cls._one)
            # A thread must not come back from a wait into an interpreter that is being taken down.
            atexit.register(cls._one.leave)

    def leave(self) -> None:
        self._leash.release()
        _join(self, 1.0)

    def run(self) -> None:
        seen, ticks = (-1, -1), 0
        while not self._leash.acquire(timeout=PATIENCE / 4):
            with collecting_nothing():
                watched = Watched.active
                now = (-1, -1) if watched is None else (id(watched), watched.world.turn)
                ticks = ticks + 1 if now == seen else 0
                seen = now
                if watched is not None and watched.world.turn % 2 and ticks >= 4:
                    ticks = 0
                    watched.bite()
                watched = None
