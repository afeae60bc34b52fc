"""Sockets that know the world: inside of it they reach faked and allowed hosts only; outside they are what they were.

The methods of `socket.socket` are exchanged, not the class: clients hold the class under many names.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from siphon_sdk._world.inside import current
from siphon_sdk._world.names import Link
from siphon_sdk._world.world import World

_base: Any = socket.socket.__mro__[1]


def _link(sock: Any) -> tuple[World, Link] | None:
    world = current()
    link = world.net.link_of(sock) if world is not None else None
    return None if world is None or link is None else (world, link)


def _connect(self: Any, address: Any) -> None:
    world = current()
    if world is None:
        _base.connect(self, address)
        return
    if self.family not in (socket.AF_INET, socket.AF_INET6):
        if not world.net.allows(str(address)):
            raise world.net.unreachable(str(address), None)
        _base.connect(self, address)
        return
    host, port = str(address[0]), int(address[1])
    found = world.net.getaddrinfo(host, port, self.family, self.type)
    numeric = str(found[0][4][0])
    name = world.net.host_of(numeric)
    if world.net.allows(name) or world.net.allows(host):
        _base.connect(self, address)
        return
    if self.type & socket.SOCK_DGRAM == socket.SOCK_DGRAM:
        raise world.net.unreachable(name, port)
    world.net.link(self, world.net.exchange(name, numeric, port))


def _connect_ex(self: Any, address: Any) -> int:
    if current() is None:
        return int(_base.connect_ex(self, address))
    try:
        _connect(self, address)
    except OSError as error:
        return error.errno or 1
    return 0


def _bind(self: Any, address: Any) -> None:
    world = current()
    if world is not None and self.family in (socket.AF_INET, socket.AF_INET6):
        host, port = str(address[0]), int(address[1])
        if port and not world.net.allows(host):
            raise world.net.refuse(f"a script under test wants to listen on {host}:{port}: there are no ports here")
    _base.bind(self, address)


def _sendto(self: Any, data: Any, *rest: Any) -> int:
    world = current()
    if world is not None:
        address = rest[-1]
        host, port = (str(address[0]), int(address[1])) if isinstance(address, tuple) else (str(address), None)
        if not world.net.allows(host):
            raise world.net.unreachable(world.net.host_of(host), port)
    return int(_base.sendto(self, data, *rest))


def _sendall(self: Any, data: Any, *flags: int) -> None:
    linked = _link(self)
    if linked is None:
        _base.sendall(self, data, *flags)
        return
    _, link = linked
    link.coming += link.exchange.feed(bytes(data))


def _send(self: Any, data: Any, *flags: int) -> int:
    if _link(self) is None:
        return int(_base.send(self, data, *flags))
    _sendall(self, data)
    return len(memoryview(data).cast("B"))


def _recv(self: Any, size: int, *flags: int) -> bytes:
    linked = _link(self)
    if linked is None:
        return bytes(_base.recv(self, size, *flags))
    world, link = linked
    _await(world, link, self.gettimeout())
    taken, link.unread = link.unread[:size], link.unread[size:]
    return taken


def _await(world: World, link: Link, timeout: float | None) -> None:
    """Waits, in virtual time, until there is something to read or the connection has ended."""
    if link.unread or link.ended:
        return
    if not link.coming:
        if timeout is None:
            raise world.net.refuse(f"a client waits for {link.exchange.host} without having asked anything")
        world.pause(round(timeout * 1e6))
        raise TimeoutError("timed out")
    answer = link.coming[0]
    wait = max(0, answer.at_us - world.now_us)
    if timeout is not None and wait > timeout * 1e6:
        world.pause(round(timeout * 1e6))
        raise TimeoutError("timed out")
    world.pause(wait)
    link.coming.pop(0)
    link.ended = answer.closes
    if answer.error is not None:
        raise answer.error
    link.unread += answer.data


def _recv_into(self: Any, buffer: Any, nbytes: int = 0, *flags: int) -> int:
    if _link(self) is None:
        return int(_base.recv_into(self, buffer, nbytes, *flags))
    view = memoryview(buffer).cast("B")
    data = _recv(self, nbytes or len(view))
    view[: len(data)] = data
    return len(data)


def _getpeername(self: Any) -> Any:
    linked = _link(self)
    if linked is None:
        return _base.getpeername(self)
    return linked[1].exchange.address, linked[1].exchange.port


def _shutdown(self: Any, how: int) -> None:
    if _link(self) is None:
        _base.shutdown(self, how)


def _getaddrinfo(real: Callable[..., Any]) -> Callable[..., Any]:
    def getaddrinfo(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        world = current()
        if world is None:
            return real(host, port, family, type, proto, flags)
        return world.net.getaddrinfo(host, port, family, type, proto, flags)

    return getaddrinfo


def _gethostbyname(real: Callable[..., Any]) -> Callable[..., Any]:
    def gethostbyname(hostname: str) -> str:
        world = current()
        if world is None:
            return str(real(hostname))
        return str(world.net.getaddrinfo(hostname, None, socket.AF_INET)[0][4][0])

    return gethostbyname


def _reverse(real: Callable[..., Any]) -> Callable[..., Any]:
    def gethostbyaddr(address: str) -> Any:
        world = current()
        if world is None:
            return real(address)
        return world.net.host_of(address), [], [address]

    return gethostbyaddr


def install() -> None:
    """Puts them in place. Once per process."""
    own = {
        "connect": _connect,
        "connect_ex": _connect_ex,
        "bind": _bind,
        "sendto": _sendto,
        "send": _send,
        "sendall": _sendall,
        "recv": _recv,
        "recv_into": _recv_into,
        "getpeername": _getpeername,
        "shutdown": _shutdown,
    }
    for name, method in own.items():
        setattr(socket.socket, name, method)
    for name, wrap in {
        "getaddrinfo": _getaddrinfo,
        "gethostbyname": _gethostbyname,
        "gethostbyaddr": _reverse,
    }.items():
        setattr(socket, name, wrap(getattr(socket, name)))
