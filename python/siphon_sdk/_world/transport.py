"""A connection of an asyncio client that ends in the table of faked answers."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from typing import TYPE_CHECKING, Any

from siphon_sdk._world.connection import Connection

if TYPE_CHECKING:
    from siphon_sdk._world.http import Answer, Exchange
    from siphon_sdk._world.loop import VirtualLoop


class SocketView:
    """What clients ask the socket of a transport."""

    family, type, proto = socket.AF_INET, socket.SOCK_STREAM, 0

    def __init__(self, peer: tuple[str, int]) -> None:
        self._peer = peer

    def getpeername(self) -> tuple[str, int]:
        return self._peer

    def getsockname(self) -> tuple[str, int]:
        return ("198.18.0.1", 40000)

    def setsockopt(self, *_: Any) -> None:
        pass

    def getsockopt(self, *_: Any) -> int:
        return 0

    def fileno(self) -> int:
        return -1


class WorldTransport(Connection):
    """Feeds what is written to the exchange, and delivers its answers when their delay is over."""

    def __init__(
        self,
        loop: VirtualLoop,
        protocol: asyncio.BaseProtocol,
        exchange: Exchange,
        context: ssl.SSLContext | None,
        sock: socket.socket | None,
    ) -> None:
        super().__init__(loop, protocol)
        self.exchange, self.context, self._sock = exchange, context, sock
        self._paused = False
        self._kept: deque[Answer] = deque()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        peer = (self.exchange.address, self.exchange.port)
        known: dict[str, Any] = {
            "peername": peer,
            "sockname": ("198.18.0.1", 40000),
            "socket": SocketView(peer),
        }
        if self.exchange.tls:
            known |= {"sslcontext": self.context, "peercert": {}, "cipher": ("fake", "TLSv1.3", 128)}
        return known.get(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing:
            return
        for answer in self.exchange.feed(bytes(data)):
            wait = max(0, answer.at_us - self.loop.world.now_us) / 1e6
            self.loop.call_later(wait, self._deliver, answer)

    def _deliver(self, answer: Answer) -> None:
        if self._paused:
            self._kept.append(answer)
        elif not self._closing:
            if answer.error is not None:
                self._lose(answer.error)
                return
            self._protocol.data_received(answer.data)
            if answer.closes and not self._closing and not self._protocol.eof_received():
                self.close()

    def _release(self) -> None:
        if self._sock is not None:
            self._sock.close()

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        while self._kept and not self._paused:
            self._deliver(self._kept.popleft())

    def is_reading(self) -> bool:
        return not (self._paused or self._closing)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        pass
