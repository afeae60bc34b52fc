"""Threads of which exactly one runs: each has the floor until it waits or ends, then hands it back.

A handler that blocks (`time.sleep`, a sync HTTP client) cannot be left in the middle without a stack of its own, and a
thread is the only stack that debuggers, profilers and C extensions know. The kit's own thread stands still while one
of these has the floor, so there is no concurrency: the order is that of the queue, every time.
"""

from __future__ import annotations

import gc
import heapq
import threading
from collections import deque
from collections.abc import Callable

from siphon_sdk._world import watch
from siphon_sdk._world.errors import WorldClosed

# Turns at one moment of virtual time; beyond it something spins.
MOST_TURNS = 100_000


class Actor:
    """A thread with the floor now and then."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.job: Callable[[], None] | None = None
        self.done: Callable[[], None] | None = None
        # Counts waits, so that a timer of an earlier wait wakes nobody.
        self.waits = 0
        self.blocked = self.started = False
        self._floor, self._back = threading.Lock(), threading.Lock()
        self._floor.acquire()
        self._back.acquire()
        self.thread = threading.Thread(target=self._life, name="siphon-kit", daemon=True)
        watch.begin(self.thread)

    def take_floor(self) -> None:
        """Runs it until it waits or its job is done. On the kit's thread."""
        # Garbage of the kit's thread may be bound to it: it is not to be collected on this one.
        collects = gc.isenabled()
        gc.disable()
        self._floor.release()
        try:
            # A wait with an end is one that Control-C interrupts everywhere.
            thread = self.thread.ident or 0
            while not self._back.acquire(timeout=watch.PATIENCE):
                if not watch.debugged(thread):
                    raise watch.hang(thread)
        except BaseException:
            # It hangs, or Control-C while it has the floor: it cannot be asked for it any more.
            self.stage.broken = True
            watch.end(self.thread.ident or 0)
            # Python code ends now, and not beside what comes next; a wait in C ends when it does.
            self._back.acquire(timeout=0.5)
            raise
        finally:
            if collects:
                gc.enable()

    def give_back(self) -> None:
        """Waits until it has the floor again. On its own thread."""
        self._back.release()
        self._floor.acquire()
        if self.stage.closed:
            raise WorldClosed("the harness is closed")

    def _life(self) -> None:
        _own.actor = self
        self._floor.acquire()
        while not self.stage.closed or self.job is not None:
            if self.job is not None:
                self.started = True
                try:
                    self.job()
                except WorldClosed:
                    pass
                except BaseException as error:
                    self.stage.failures.append(error)
                self.job = None
            self._back.release()
            self._floor.acquire()
        self._back.release()


class _Own(threading.local):
    actor: Actor | None = None


_own = _Own()


class Stage:
    """Who has the floor next."""

    def __init__(self) -> None:
        self.closed = self.broken = False
        self.failures: list[BaseException] = []
        self._actors: list[Actor] = []
        self._idle: list[Actor] = []
        self._ready: deque[Actor] = deque()
        self._timers: list[tuple[int, int, Actor, int]] = []
        self._count = 0

    def actor(self) -> Actor | None:
        """Who runs on this thread; None for the kit's own."""
        actor = _own.actor
        return actor if actor is not None and actor.stage is self else None

    def start(self, job: Callable[[], None], done: Callable[[], None] | None = None) -> None:
        """Queues a job. It runs when the kit's thread says `run`; `done` is called there when it is over."""
        actor = self._idle.pop() if self._idle else None
        if actor is None:
            actor = Actor(self)
            self._actors.append(actor)
        actor.job, actor.done, actor.started = job, done, False
        self._ready.append(actor)

    def block(self, until_us: int | None) -> None:
        """Waits until that moment or until woken, whichever is first. On an actor's thread."""
        actor = self.actor()
        if actor is None:
            raise RuntimeError("only a handler of the lane can wait here")
        actor.waits += 1
        actor.blocked = True
        if until_us is not None:
            self._count += 1
            heapq.heappush(self._timers, (until_us, self._count, actor, actor.waits))
        actor.give_back()

    def wake(self, actor: Actor) -> None:
        """Ends somebody's wait."""
        if actor.blocked:
            actor.blocked = False
            self._ready.append(actor)

    def _stale(self, timer: tuple[int, int, Actor, int]) -> bool:
        _, _, actor, waits = timer
        return not actor.blocked or actor.waits != waits

    def deadline(self) -> int | None:
        """When somebody's wait ends by itself."""
        while self._timers and self._stale(self._timers[0]):
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def run(self, now_us: Callable[[], int]) -> None:
        """Gives everybody the floor who does not wait. On the kit's thread."""
        for _ in range(MOST_TURNS):
            while (at := self.deadline()) is not None and at <= now_us():
                self.wake(heapq.heappop(self._timers)[2])
            if not self._ready:
                break
            actor = self._ready.popleft()
            actor.take_floor()
            if actor.job is None:
                self._idle.append(actor)
                done, actor.done = actor.done, None
                if done is not None:
                    done()
        else:
            self.failures.append(RuntimeError("handlers go on and on without any time passing"))
        if self.failures:
            failures, self.failures = self.failures, []
            raise failures[0]

    def close(self) -> None:
        """Ends whoever still waits, at its wait, and all threads."""
        self.closed = True
        try:
            for actor in [] if self.broken else self._actors:
                if not actor.started:
                    actor.job = None
                # A handler may wait again in its `finally`; it is ended there too.
                for _ in range(100):
                    if actor.job is None:
                        break
                    actor.take_floor()
                actor.take_floor()
        finally:
            self._actors.clear()
            self._ready.clear()
            self._timers.clear()
            self.failures.clear()
