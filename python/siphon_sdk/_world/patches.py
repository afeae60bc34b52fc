"""The places of the standard library that look for a world around their caller. Outside of one they do what they did."""

from __future__ import annotations

import asyncio
import asyncio.events
import concurrent.futures
import random
import threading
from collections.abc import Callable
from typing import Any

from siphon_sdk._world.inside import current

_installed = False


def install() -> None:
    """Puts all of them in place. Once per process."""
    global _installed
    if _installed:
        return
    _installed = True
    # They need a world to exist, and the world needs this module.
    from siphon_sdk._world import sockets, tls, voices

    sockets.install()
    tls.install()
    voices.install()
    _new_event_loop()
    _pools()
    _threads()


def _new_event_loop() -> None:
    real = asyncio.events.new_event_loop

    def new_event_loop() -> Any:
        """`asyncio.run` in a script gets a loop of the world."""
        from siphon_sdk._world.loop import VirtualLoop

        world = current()
        return real() if world is None else VirtualLoop(world)

    setattr(asyncio.events, "new_event_loop", new_event_loop)
    setattr(asyncio, "new_event_loop", new_event_loop)


def _pools() -> None:
    real: Any = concurrent.futures.ThreadPoolExecutor.submit

    def submit(self: Any, fn: Callable[..., Any], /, *args: Any, **more: Any) -> Any:
        """In the world the work is done at once, by the caller."""
        if current() is None:
            return real(self, fn, *args, **more)
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **more))
        except Exception as error:
            future.set_exception(error)
        return future

    setattr(concurrent.futures.ThreadPoolExecutor, "submit", submit)


def _threads() -> None:
    real: Any = threading.Thread.start

    def start(self: Any) -> None:
        """A thread that a script starts lives in the script's world: its clock, no real network."""
        world = current()
        if world is not None:
            run = self.run
            self.run = lambda: world.follow(run)
        real(self)

    setattr(threading.Thread, "start", start)
    wait: Any = threading.Thread.join

    def join(self: Any, timeout: float | None = None) -> None:
        """In the world one that can be ended: a wait in C cannot, and would come back when the interpreter ends."""
        if current() is None or timeout is not None:
            wait(self, timeout)
            return
        wait(self, 0.01)
        while self.is_alive():
            wait(self, 0.05)

    setattr(threading.Thread, "join", join)


def fresh_dice() -> None:
    """`random.gauss` keeps a number for its next call, which is not to reach another harness."""
    shared: Any = getattr(random, "_inst")
    shared.gauss_next = None
