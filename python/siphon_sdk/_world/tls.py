"""TLS to faked hosts: nobody is there to shake hands with, so the octets pass as they are."""

from __future__ import annotations

import socket
import ssl
from typing import Any

from siphon_sdk._world.http import HELLO
from siphon_sdk._world.inside import current


_base: Any = socket.socket.__mro__[1]


class _Session:
    """What clients ask about a finished handshake."""

    context: ssl.SSLContext | None = None
    server_hostname: str | None = None
    session = None
    session_reused = False
    server_side = False

    def do_handshake(self, *_: Any) -> None:
        pass

    def getpeercert(self, binary_form: bool = False) -> Any:
        return b"" if binary_form else {}

    def version(self) -> str:
        return "TLSv1.3"

    def cipher(self) -> tuple[str, str, int]:
        return ("fake", "TLSv1.3", 128)

    def shared_ciphers(self) -> list[Any]:
        return []

    def compression(self) -> None:
        return None

    def selected_alpn_protocol(self) -> str | None:
        return "http/1.1"

    def selected_npn_protocol(self) -> None:
        return None

    def get_channel_binding(self, *_: Any) -> None:
        return None

    def pending(self) -> int:
        return 0


class TlsSocket(_Session, socket.socket):
    """A connection to a faked host, after a handshake that did not happen."""

    def read(self, size: int = 1024, buffer: Any = None) -> Any:
        return self.recv(size) if buffer is None else self.recv_into(buffer)

    def write(self, data: Any) -> int:
        return self.send(data)

    def unwrap(self) -> socket.socket:
        return self

    def __del__(self) -> None:
        # Nobody is behind it: a client that forgets it leaks nothing worth a warning.
        self._real_close()

    def _real_close(self) -> None:
        _base.close(self)


class TlsObject(_Session):
    """The same between two memory buffers."""

    def __init__(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._greeted = False

    def do_handshake(self, *_: Any) -> None:
        # The other end sees octets only, and is to know that these would have been encrypted.
        if not self._greeted:
            self._greeted = True
            self._outgoing.write(HELLO)

    def read(self, size: int = 1024, buffer: Any = None) -> Any:
        data = self._incoming.read(size)
        if not data:
            if not self._incoming.eof:
                raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "nothing there yet")
            data = b""
        if buffer is None:
            return data
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:
        return self._outgoing.write(data)

    def unwrap(self) -> None:
        pass


def install() -> None:
    """Makes `SSLContext` wrap connections to faked hosts like this. Once per process."""
    real_socket: Any = ssl.SSLContext.wrap_socket
    real_bio: Any = ssl.SSLContext.wrap_bio

    def wrap_socket(self: ssl.SSLContext, sock: Any, *args: Any, **more: Any) -> Any:
        world = current()
        link = world.net.link_of(sock) if world is not None else None
        if world is None or link is None:
            return real_socket(self, sock, *args, **more)
        link.exchange.tls = True
        timeout = sock.gettimeout()
        wrapped = TlsSocket(sock.family, sock.type, sock.proto, fileno=sock.fileno())
        world.net.move_link(sock, wrapped)
        sock.detach()
        wrapped.settimeout(timeout)
        wrapped.context, wrapped.server_hostname = self, more.get("server_hostname")
        return wrapped

    def wrap_bio(self: ssl.SSLContext, incoming: Any, outgoing: Any, *args: Any, **more: Any) -> Any:
        world = current()
        given = more.get("server_hostname") or (args[1] if len(args) > 1 else None)
        host = given.decode("ascii", "replace") if isinstance(given, bytes) else given
        if world is None or host is None or not world.net.http.serves(host):
            return real_bio(self, incoming, outgoing, *args, **more)
        wrapped = TlsObject(incoming, outgoing)
        wrapped.context, wrapped.server_hostname = self, host
        return wrapped

    setattr(ssl.SSLContext, "wrap_socket", wrap_socket)
    setattr(ssl.SSLContext, "wrap_bio", wrap_bio)
