"""A connection of an asyncio client to a real host that was let through.

The world stands still while octets come: after each write the loop waits in real time, until nothing more has come for a
moment. That serves protocols of question and answer; a peer that speaks first, or much later, is not heard.
"""

from __future__ import annotations

import asyncio
import select
import socket
import ssl
from typing import TYPE_CHECKING, Any

from siphon_sdk._world.connection import Connection

if TYPE_CHECKING:
    from siphon_sdk._world.loop import VirtualLoop

# Real seconds: until the first octet of an answer, and until it is taken to be whole.
PATIENCE, SILENCE = 10.0, 0.25


class RealTransport(Connection):
    """Writes and reads where the loop stands."""

    def __init__(self, loop: VirtualLoop, protocol: asyncio.BaseProtocol, sock: socket.socket) -> None:
        super().__init__(loop, protocol)
        self.sock = sock
        self._awaiting = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        secure = isinstance(self.sock, ssl.SSLSocket)
        known: dict[str, Any] = {"socket": self.sock, "peername": self.sock.getpeername()}
        if secure:
            known["ssl_object"] = self.sock
        return known.get(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._closing:
            return
        self.sock.sendall(data)
        if not self._awaiting:
            self._awaiting = True
            # After whatever else the client has to write now.
            self.loop.call_soon(self.loop.call_soon, self._read, PATIENCE)

    def _read(self, patience: float) -> None:
        pending = isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0
        if self._closing or not (pending or select.select([self.sock], [], [], patience)[0]):
            self._awaiting = False
            return
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            self._lose(error)
            return
        if not data:
            if not self._protocol.eof_received():
                self.close()
            return
        self._protocol.data_received(data)
        self.loop.call_soon(self._read, SILENCE)

    def _release(self) -> None:
        self.sock.close()

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def can_write_eof(self) -> bool:
        return False
