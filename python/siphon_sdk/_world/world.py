"""The world of one harness: what the engine's script layer asks of it, and what tests say about it."""

from __future__ import annotations

import asyncio
import asyncio.events
import math
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, SupportsFloat

from siphon_sdk._world import patches, voices
from siphon_sdk._world.errors import HandlerHangs, WorldClosed
from siphon_sdk._world.http import Http
from siphon_sdk._world.inside import here, waiting
from siphon_sdk._world.loop import VirtualLoop
from siphon_sdk._world.names import Net
from siphon_sdk._world.stage import Actor, Stage
from siphon_sdk._world.watch import Watched, of_debugger


class Waiter:
    """Lets a handler of the lane wait for something."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._rung = False
        self._actor: Actor | None = None

    def wait(self) -> None:
        """Until `notify`."""
        self._actor = self._stage.actor()
        while not self._rung:
            self._stage.block(None)

    def notify(self) -> None:
        self._rung = True
        if self._actor is not None:
            self._stage.wake(self._actor)


class World:
    """Clock, dice, network and loop of one harness.

    `seed` decides every number that `random`, `secrets`, `uuid.uuid4` and `os.urandom` give to script code.
    """

    def __init__(self, seed: int = 0, start_us: int = 0) -> None:
        patches.install()
        self._clock_us = self._start_us = start_us
        self.skew_us = 0
        """How far code that cannot wait moved the clock on for itself."""
        self.random = random.Random(seed)
        self._octets = random.Random(~seed)
        self.net = Net(lambda: self.now_us)
        self.stage = Stage()
        self.native: Any = None
        """Tells the interpreter's clocks and dice that code of this world runs; set by the engine."""
        self.tasks: Any = None
        """The async handlers on the loop; kept here by the engine."""
        self._loop: VirtualLoop | None = None
        self._running: set[VirtualLoop] = set()
        self._moved = threading.Condition()
        self._lane: deque[Callable[[], None]] = deque()
        self._in_lane = 0
        self._followers: dict[int, Stage] = {}
        self.threads = 0
        """How many threads of its own the script runs."""
        self.fault: BaseException | None = None
        """What ended a handler that hung, or Control-C; the test gets it when the kit's call is over."""
        self.kit_thread = 0
        self.turn = 0
        """Odd while code of the script runs on the kit's own thread."""
        patches.fresh_dice()

    @property
    def http(self) -> Http:
        """The faked HTTP servers."""
        return self.net.http

    # ---- the clock ----------------------------------------------------------------------------------------------

    @property
    def now_us(self) -> int:
        """Virtual Unix time in microseconds."""
        return self._clock_us + self.skew_us

    @property
    def time(self) -> float:
        return self.now_us / 1e6

    @property
    def time_ns(self) -> int:
        return self.now_us * 1000

    @property
    def monotonic(self) -> float:
        return self.monotonic_ns / 1e9

    @property
    def monotonic_ns(self) -> int:
        # A machine that has been up for a while: code that subtracts from it stays above zero.
        return (self.now_us - self._start_us) * 1000 + 10**12

    def advance(self, now_us: int) -> None:
        """Sets the clock. It never goes back."""
        with self._moved:
            self._clock_us = max(self._clock_us, now_us)
            self.skew_us = 0
            self._moved.notify_all()

    def sleep(self, seconds: SupportsFloat) -> None:
        """`time.sleep` in the world."""
        if self.native is not None and of_debugger(sys._getframe(1)):
            self.native.leave()
            try:
                time.sleep(float(seconds))
            finally:
                self.native.enter(self)
            return
        amount = float(seconds)
        if amount < 0 or math.isnan(amount):
            raise ValueError("sleep length must be non-negative")
        self.pause(math.ceil(amount * 1e6 - 1e-3))

    def pause(self, microseconds: int) -> None:
        """Lets the caller wait: a handler of the lane stops here; one that cannot sees the clock move on; a thread
        of the script's own follows the clock."""
        if self.stage.actor() is not None:
            self.stage.block(self.now_us + microseconds)
        elif threading.get_ident() in self._followers:
            until, stage = self._clock_us + microseconds, self._followers[threading.get_ident()]
            with self._moved:
                self._moved.wait_for(lambda: self._clock_us >= until or stage.closed)
            if stage.closed:
                raise WorldClosed("the harness is closed")
        else:
            self.skew_us += microseconds

    def can_wait(self, timeout: float | None) -> bool:
        """Whether a wait for another handler can be one in virtual time. While a thread of the script's own runs it
        cannot: who wakes whom is then for the machine to say."""
        if self.threads or here.is_kit or (timeout is not None and timeout <= 0):
            return False
        return self.stage.actor() is not None or timeout is not None

    def wait_for(self, lock: Any, timeout: float | None) -> bool:
        """Waits until somebody has released `lock`, for `timeout` virtual seconds at most; whether it was."""
        actor = self.stage.actor()
        span = None if timeout is None else math.ceil(timeout * 1e6)
        if actor is None:
            # Nobody else runs while code of the kit's own thread does.
            self.pause(span or 0)
            return bool(lock.acquire(False))
        until = None if span is None else self.now_us + span
        waiting[lock] = actor
        try:
            while not lock.acquire(False):
                if until is not None and self.now_us >= until:
                    return False
                self.stage.block(until)
            return True
        finally:
            del waiting[lock]

    # ---- what runs in it ----------------------------------------------------------------------------------------

    def enter(self) -> None:
        """Code of the script runs on this thread from here."""
        if not here.worlds and self.stage.actor() is None:
            self.skew_us = 0
        if threading.get_ident() == self.kit_thread and not here.worlds:
            self.turn += 1
        here.loops.append(asyncio.events._get_running_loop())
        asyncio.events._set_running_loop(None)
        here.worlds.append(self)
        voices.listen()
        if self.native is not None:
            self.native.enter(self)

    def leave(self) -> None:
        """... to here."""
        if self.native is not None:
            self.native.leave()
        here.worlds.pop()
        if threading.get_ident() == self.kit_thread and not here.worlds:
            self.turn += 1
        asyncio.events._set_running_loop(here.loops.pop())

    def _inside(self, job: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            self.enter()
            try:
                job()
            finally:
                self.leave()

        return run

    def follow(self, run: Callable[[], None]) -> None:
        """Runs a thread that the script started itself."""
        self._followers[threading.get_ident()] = self.stage
        try:
            self._inside(run)()
        except WorldClosed:
            pass
        finally:
            del self._followers[threading.get_ident()]
            self.threads -= 1

    def spawn(self, job: Callable[[], None]) -> None:
        """Queues work of an executor."""
        self.stage.start(self._inside(job))

    def lane(self, job: Callable[[], None], threads: int, queue: int) -> bool:
        """Queues a handler that may wait; False when the lane is full, as in the daemon."""
        if self._in_lane < threads:
            self._in_lane += 1
            self.stage.start(job, self._left_lane)
            return True
        if len(self._lane) >= queue:
            return False
        self._lane.append(job)
        return True

    def _left_lane(self) -> None:
        if self._lane:
            self.stage.start(self._lane.popleft(), self._left_lane)
        else:
            self._in_lane -= 1

    def waiter(self) -> Waiter:
        return Waiter(self.stage)

    @property
    def loop(self) -> VirtualLoop:
        """The asyncio loop of async handlers."""
        if self._loop is None:
            self._loop = VirtualLoop(self)
        return self._loop

    def loop_wanted(self, loop: VirtualLoop) -> None:
        """Something is to be run on a loop that does not wait: the handlers' one is started."""
        if loop is self._loop and not loop.is_running() and loop not in self._running:
            self._running.add(loop)
            self.stage.start(self._inside(loop.run_forever), lambda: self._running.discard(loop))

    def run(self) -> None:
        """Lets everybody run who does not wait."""
        if self.fault is not None:
            raise self.fault
        try:
            self.stage.run(lambda: self.now_us)
        except (HandlerHangs, KeyboardInterrupt) as fault:
            if self.kit_thread:
                self.fault = fault
            raise

    def watched(self) -> Watched:
        """Around whatever lets the node run."""
        return Watched(self)

    def deadline(self) -> int | None:
        """When somebody wants to run again."""
        return self.stage.deadline()

    def urandom(self, size: int) -> bytes:
        return self._octets.randbytes(size)

    def close(self) -> None:
        """Ends whatever still waits, and lets go of the node. The kit calls it when a harness is done."""
        try:
            self._end()
        finally:
            # The node holds this world, and the collector does not look into the node.
            self.net.resolver = None

    def _end(self) -> None:
        stage, loop = self.stage, self._loop
        if stage.closed:
            return
        stage.close()
        with self._moved:
            self._moved.notify_all()
        self._loop, self.tasks, self._in_lane = None, None, 0
        self._lane.clear()
        self._running.clear()
        if loop is not None and not loop.is_running():
            for task in asyncio.all_tasks(loop):
                # It is meant to end here; asyncio would complain when it is collected.
                setattr(task, "_log_destroy_pending", False)
            loop.close()

    def restart(self) -> None:
        """Ends whatever still waits, for a node that starts anew. Clock, network and dice go on."""
        self._end()
        self.stage = Stage()
