"""The places of the standard library that look for a world around their caller. Outside of one they do what they did."""

from __future__ import annotations

import _thread
import asyncio
import asyncio.events
import concurrent.futures
import random
import threading
from collections.abc import Callable
from typing import Any

from siphon_sdk._world.inside import current, waiting

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
    _conditions()


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
            world.threads += 1
        try:
            real(self)
        except BaseException:
            if world is not None:
                world.threads -= 1
            raise

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


def _conditions() -> None:
    """What `Event`, `Queue`, `Semaphore` and `Future` wait by."""
    wait: Any = threading.Condition.wait
    notify: Any = threading.Condition.notify

    def wait_here(self: Any, timeout: float | None = None) -> bool:
        """In the world the wait is one for another handler, in virtual time."""
        world = current()
        if world is None or not world.can_wait(timeout) or not self._is_owned():
            return bool(wait(self, timeout))
        lock = _thread.allocate_lock()
        lock.acquire()
        self._waiters.append(lock)
        saved, notified = self._release_save(), False
        try:
            notified = world.wait_for(lock, timeout)
            return notified
        finally:
            self._acquire_restore(saved)
            if not notified and lock in self._waiters:
                self._waiters.remove(lock)

    def notify_here(self: Any, n: int = 1) -> None:
        notify(self, n)
        for lock, actor in list(waiting.items()):
            if not lock.locked():
                actor.stage.wake(actor)

    setattr(threading.Condition, "wait", wait_here)
    setattr(threading.Condition, "notify", notify_here)


def fresh_dice() -> None:
    """`random.gauss` keeps a number for its next call, which is not to reach another harness."""
    shared: Any = getattr(random, "_inst")
    shared.gauss_next = None
