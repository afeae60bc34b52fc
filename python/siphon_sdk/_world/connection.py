"""What the two transports of asyncio clients have in common: one protocol, closed once, nothing buffered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siphon_sdk._world.loop import VirtualLoop


class Connection(asyncio.Transport):
    """A transport whose writes are gone at once."""

    def __init__(self, loop: VirtualLoop, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self.loop = loop
        self._protocol: Any = protocol
        self._closing = False

    def _release(self) -> None:
        """Gives back what lies under the transport."""

    def _lose(self, error: BaseException | None) -> None:
        if not self._closing:
            self._closing = True
            self._release()
            self.loop.call_soon(self._protocol.connection_lost, error)

    def close(self) -> None:
        self._lose(None)

    def abort(self) -> None:
        self._lose(None)

    def is_closing(self) -> bool:
        return self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self._protocol
        return protocol

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0
