"""Runs a function as the kit runs a handler: in the lane of a world, one step of time after another."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

try:
    import siphon_sdk  # noqa: F401
except ImportError:
    # The world needs no engine; from a source tree it is tested without one.
    package = types.ModuleType("siphon_sdk")
    package.__path__ = [str(Path(__file__).parents[1] / "siphon_sdk")]
    sys.modules["siphon_sdk"] = package

from siphon_sdk._world import World  # noqa: E402

START_US = 1_000_000_000


def world(seed: int = 0) -> World:
    return World(seed, START_US)


def play(world: World, handler: Callable[[], Any]) -> tuple[Any, float]:
    """What a sync handler returns or raises, and the virtual seconds it took."""
    began, outcome = world.now_us, []

    def job() -> None:
        world.enter()
        try:
            outcome.append(handler())
        except Exception as error:
            outcome.append(error)
        finally:
            world.leave()

    assert world.lane(job, 8, 8)
    _settle(world, outcome)
    return outcome[0], (world.now_us - began) / 1e6


def play_async(world: World, handler: Callable[[], Any]) -> tuple[Any, float]:
    """Likewise of an async one, on the world's loop."""
    began, outcome = world.now_us, []

    async def job() -> None:
        try:
            outcome.append(await handler())
        except Exception as error:
            outcome.append(error)

    world.loop.call_soon_threadsafe(lambda: world.loop.create_task(job()))
    _settle(world, outcome)
    return outcome[0], (world.now_us - began) / 1e6


def _settle(world: World, outcome: list[Any]) -> None:
    world.run()
    while not outcome:
        at = world.deadline()
        assert at is not None, "it waits for nothing"
        world.advance(at)
        world.run()
