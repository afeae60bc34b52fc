"""Which world the code of this thread runs in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siphon_sdk._world.stage import Actor
    from siphon_sdk._world.world import World


class _Here(threading.local):
    def __init__(self) -> None:
        self.worlds: list[World] = []
        self.is_kit = False
        """Whether it is the kit's own code that runs here, called by some of the world's."""
        self.loops: list[Any] = []
        """The asyncio loops that ran here when a world was entered."""


here = _Here()

waiting: dict[Any, Actor] = {}
"""Who waits at a condition, by the lock that is released for it."""


def current() -> World | None:
    """The world around the caller; None outside of handlers."""
    return here.worlds[-1] if here.worlds else None
