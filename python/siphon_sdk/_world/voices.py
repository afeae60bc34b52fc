"""What a script says by `logging` and `warnings`, and what anybody prints for it: in a world it goes to the node's log, as
in the daemon."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any

from siphon_sdk._world.inside import current
from siphon_sdk._world.watch import of_debugger

# What the daemon asks more of.
_QUIET = ("asyncio", "concurrent")


def _speaker(file: str, line: int) -> Callable[[Callable[[str], None], str], None]:
    """A function that stands at that line: the log takes the line from its caller."""

    def speak(say: Callable[[str], None], text: str) -> None: say(text)  # fmt: skip

    code: CodeType = speak.__code__
    speak.__code__ = code.replace(co_filename=file, co_firstlineno=line)
    return speak


def _say(level: str, text: str, file: str, line: int) -> None:
    from siphon import log

    _speaker(file, line)(getattr(log, level), text)


def _level(number: int) -> str:
    return "error" if number >= 40 else "warning" if number >= 30 else "info" if number >= 20 else "debug"


def _least(logger: logging.Logger) -> int:
    """The level from which on a logger speaks in the daemon, whose root takes everything."""
    at: logging.Logger | None = logger
    while at is not None and at.parent is not None:
        if at.level:
            return at.level
        if at.name in _QUIET:
            return logging.WARNING
        at = at.parent
    return logging.DEBUG


def _reaches_root(logger: logging.Logger) -> bool:
    at: logging.Logger | None = logger
    while at is not None and at.parent is not None:
        if not at.propagate:
            return False
        at = at.parent
    return True


class Stream:
    """Stands for stdout or stderr: a line that code of a world writes goes to the log, all else where it went."""

    def __init__(self, real: Any, level: str) -> None:
        self._real, self._level, self._partial = real, level, threading.local()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def write(self, text: str) -> int:
        frame = sys._getframe(1)
        if current() is None or of_debugger(frame):
            written: int = self._real.write(text)
            return written
        *lines, rest = (getattr(self._partial, "text", "") + text).split("\n")
        self._partial.text = rest[-65536:]
        for line in lines:
            if line.strip():
                _say(self._level, line, frame.f_code.co_filename, frame.f_lineno)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)


def listen() -> None:
    """Takes stdout and stderr, whatever they are just now: pytest exchanges them from test to test."""
    if type(sys.stdout) is not Stream:
        sys.stdout = Stream(sys.stdout, "info")
    if type(sys.stderr) is not Stream:
        sys.stderr = Stream(sys.stderr, "error")


def install() -> None:
    """Puts them in place. Once per process."""
    enabled: Any = logging.Logger.isEnabledFor
    deliver: Any = logging.Logger.callHandlers
    show: Any = getattr(warnings, "_showwarnmsg")
    plain: Any = getattr(warnings, "_showwarnmsg_impl")

    def is_enabled_for(self: logging.Logger, level: int) -> Any:
        if current() is None:
            return enabled(self, level)
        return not self.disabled and self.manager.disable < level and level >= _least(self)

    def call_handlers(self: logging.Logger, record: logging.LogRecord) -> None:
        if current() is None:
            deliver(self, record)
            return
        if _reaches_root(self):
            try:
                text = record.getMessage()
                if record.exc_info:
                    text += "\n" + logging.Formatter().formatException(record.exc_info)
            except Exception as error:
                text = f"log call failed: {error}"
            _say(_level(record.levelno), text, record.pathname, record.lineno)
        # Handlers of the test, pytest's above all, get what they would get of any code; stderr of last resort is none.
        if self.hasHandlers() and enabled(self, record.levelno):
            deliver(self, record)

    def show_warning(message: Any) -> None:
        if current() is not None:
            text = f"{message.category.__name__}: {message.message}"
            _say("warning", text, message.filename, message.lineno)
            if getattr(warnings, "_showwarnmsg_impl") is plain:
                return
        show(message)

    setattr(logging.Logger, "isEnabledFor", is_enabled_for)
    setattr(logging.Logger, "callHandlers", call_handlers)
    setattr(warnings, "_showwarnmsg", show_warning)
