"""Which world the code of this thread runs in."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siphon_sdk._world.world import World


class _Here(threading.local):
    def __init__(self) -> None:
        self.worlds: list[World] = []
        self.loops: list[Any] = []
        """The asyncio loops that ran here when a world was entered."""


here = _Here()


def current() -> World | None:
    """The world around the caller; None outside of handlers."""
    return here.worlds[-1] if here.worlds else None
