"""Which hosts exist in the world, and which of the real ones may be reached."""

from __future__ import annotations

import fnmatch
import ipaddress
import socket
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from siphon_sdk._world.errors import RealNetwork
from siphon_sdk._world.http import Answer, Exchange, Http

# Taken before anything is patched.
_real_getaddrinfo = socket.getaddrinfo


@dataclass
class Link:
    """The exchange behind a socket, and what it has received and not read."""

    exchange: Exchange
    coming: list[Answer]
    unread: bytes = b""
    ended: bool = False


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        return None


class Net:
    """The network of a world."""

    def __init__(self, now_us: Callable[[], int]) -> None:
        self.http = Http(now_us, self.refuse)
        self.refused: list[str] = []
        """What was reached for and was not there, one sentence each."""
        self.resolver: Callable[[str], Sequence[str]] | None = None
        """Looks a host up in the harness's own DNS; an empty answer goes on to the fakes."""
        self._records: dict[str, list[str]] = {}
        self._made: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self._allowed: set[str] = set()
        self._links: weakref.WeakKeyDictionary[Any, Link] = weakref.WeakKeyDictionary()

    def allow(self, host: str) -> None:
        """Lets clients reach this real host (`*` stands for anything). It takes real time, and none of the virtual."""
        self._allowed.add(host.lower())

    def add(self, host: str, *addresses: str) -> None:
        """Address records of a host, for whoever looks it up."""
        self._records[host.lower()] = list(addresses)
        for address in addresses:
            self._hosts[address] = host.lower()

    def refuse(self, sentence: str) -> RealNetwork:
        """Notes what was reached for; the error comes back for the caller to raise."""
        self.refused.append(sentence)
        return RealNetwork(sentence)

    def unreachable(self, host: str, port: int | None) -> RealNetwork:
        """The error for a host that is neither faked nor allowed."""
        where = host if not port else f"{host}:{port}"
        scheme = "https" if port in (443, 8443) else "http"
        return self.refuse(
            f"a script under test reached for {where}, and real sockets are closed. "
            f'Fake it with harness.http.add("GET", "{scheme}://{host}/...", ...) '
            f'or let it through with harness.allow_network("{host}")'
        )

    # ---- names --------------------------------------------------------------------------------------------------

    def allows(self, host: str) -> bool:
        names = {host.lower(), self._hosts.get(host, host)}
        return any(fnmatch.fnmatchcase(name, allowed) for name in names for allowed in self._allowed)

    def host_of(self, address: str) -> str:
        """The name that an address was given out for, or the address."""
        return self._hosts.get(address, address)

    def _addresses(self, host: str, port: int | None) -> list[str]:
        literal = _literal(host)
        if literal is not None:
            return [literal]
        host = host.lower()
        found = self._records.get(host) or (list(self.resolver(host)) if self.resolver else [])
        if not found and self.http.serves(host):
            if host not in self._made:
                # 198.18.0.0/15 is for tests of devices (RFC 2544): nobody is there.
                number = len(self._made) + 256
                self._made[host] = f"198.18.{number >> 8}.{number & 255}"
            found = [self._made[host]]
        if not found:
            raise self.unreachable(host, port)
        for address in found:
            self._hosts[address] = host
        return found

    def getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        """What `socket.getaddrinfo` answers in the world."""
        name = host.decode() if isinstance(host, bytes) else host
        if name is None or _literal(name) is not None:
            return list(_real_getaddrinfo(name, port, family, type, proto, flags))
        if self.allows(name):
            answers = list(_real_getaddrinfo(name, port, family, type, proto, flags))
            for answer in answers:
                self._hosts[str(answer[4][0])] = name.lower()
            return answers
        number = int(port) if port is not None and str(port).isdigit() else None
        found: list[Any] = []
        for address in self._addresses(name, number):
            numeric = flags | socket.AI_NUMERICHOST
            try:
                found += _real_getaddrinfo(address, port, family, type, proto, numeric)
            except socket.gaierror:
                continue
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "no address of this family")
        return found

    # ---- connections --------------------------------------------------------------------------------------------

    def exchange(self, host: str, address: str, port: int) -> Exchange:
        """The other end of a new connection."""
        if not self.http.serves(host, port):
            raise self.unreachable(host, port)
        return Exchange(self.http, host, address, port)

    def connect_by_name(self, host: str, port: int) -> Exchange:
        """Likewise for a client that does not look names up itself."""
        address = self._addresses(host, port)[0]
        return self.exchange(self.host_of(address), address, port)

    def link(self, sock: Any, exchange: Exchange) -> Link:
        """Ties a socket to an exchange."""
        link = self._links[sock] = Link(exchange, [])
        return link

    def link_of(self, sock: Any) -> Link | None:
        return self._links.get(sock)

    def move_link(self, old: Any, new: Any) -> None:
        """The connection goes on under another object."""
        self._links[new] = self._links.pop(old)
