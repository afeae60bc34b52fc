"""An asyncio loop whose clock is the world's and whose selector never selects."""

from __future__ import annotations

import asyncio
import asyncio.base_events
import math
import socket
import ssl as tls
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from siphon_sdk._world.errors import RealNetwork
from siphon_sdk._world.real import PATIENCE, RealTransport
from siphon_sdk._world.stage import MOST_TURNS
from siphon_sdk._world.transport import WorldTransport

if TYPE_CHECKING:
    from siphon_sdk._world.world import World


class _Selector:
    """What `BaseEventLoop` waits at."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop, self.turns, self.at = loop, 0, 0

    def select(self, timeout: float | None) -> list[Any]:
        world = self.loop.world
        if timeout is not None and timeout <= 0:
            self.turns = self.turns + 1 if self.at == world.now_us else 0
            self.at = world.now_us
            if self.turns > MOST_TURNS:
                self.turns = 0
                raise RuntimeError("the asyncio loop goes round and round without any time passing")
            return []
        actor = world.stage.actor()
        until = None if timeout is None else world.now_us + math.ceil(timeout * 1e6)
        if actor is not None:
            self.loop.sleeper = actor
            world.stage.block(until)
            self.loop.sleeper = None
        else:
            # A loop of the script's own on the shard's thread (`asyncio.run` in a handler): nobody else can wake it.
            world.stage.run(lambda: world.now_us)
            if until is None and not self.loop.has_ready():
                raise RuntimeError("the asyncio loop waits for something that cannot come")
            if until is not None and not self.loop.has_ready():
                world.skew_us += until - world.now_us
        return []


class VirtualLoop(asyncio.base_events.BaseEventLoop):
    """Runs on an actor of the stage, and stands still with the world."""

    # What BaseEventLoop keeps and expects.
    _ready: Any
    _clock_resolution: float

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.sleeper: Any = None
        self._clock_resolution = 1e-6
        self._selector = _Selector(self)

    def has_ready(self) -> bool:
        return bool(self._ready)

    def time(self) -> float:
        return self.world.monotonic

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        if self.sleeper is not None:
            self.world.stage.wake(self.sleeper)
        else:
            self.world.loop_wanted(self)

    # ---- threads and names --------------------------------------------------------------------------------------

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> Any:
        future = self.create_future()

        def settle(set_it: Callable[[Any], None], value: Any) -> None:
            if not future.done():
                set_it(value)

        def work() -> None:
            try:
                value = func(*args)
            except Exception as error:
                self.call_soon_threadsafe(settle, future.set_exception, error)
            else:
                self.call_soon_threadsafe(settle, future.set_result, value)

        self.world.spawn(work)
        return future

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> Any:
        return socket.getaddrinfo(host, port, family, type, proto, flags)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        return str(sockaddr[0]), str(sockaddr[1])

    # ---- connections --------------------------------------------------------------------------------------------

    async def create_connection(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: str | None = None,
        port: int | None = None,
        *,
        ssl: Any = None,
        sock: socket.socket | None = None,
        server_hostname: str | None = None,
        **_: Any,
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        net = self.world.net
        link = net.link_of(sock) if sock is not None else None
        if link is not None:
            exchange = link.exchange
        elif sock is not None or net.allows(str(host)):
            return self._really(protocol_factory, sock, (str(host), int(port or 0)), ssl, server_hostname)
        else:
            exchange = net.connect_by_name(str(host), int(port or 0))
        exchange.tls = exchange.tls or bool(ssl)
        protocol = protocol_factory()
        context = ssl if isinstance(ssl, tls.SSLContext) else None
        transport = WorldTransport(self, protocol, exchange, context, sock)
        protocol.connection_made(transport)
        return transport, protocol

    def _really(
        self, factory: Callable[[], asyncio.BaseProtocol], sock: Any, peer: Any, secure: Any, name: str | None
    ) -> tuple[asyncio.BaseTransport, asyncio.BaseProtocol]:
        """Connects to a host that was let through."""
        if sock is None:
            sock = socket.create_connection(peer, timeout=PATIENCE)
        sock.settimeout(PATIENCE)
        if secure:
            context = secure if isinstance(secure, tls.SSLContext) else tls.create_default_context()
            sock = context.wrap_socket(sock, server_hostname=name or peer[0])
        protocol = factory()
        transport = RealTransport(self, protocol, sock)
        protocol.connection_made(transport)
        return transport, protocol

    async def start_tls(
        self, transport: Any, protocol: asyncio.BaseProtocol, sslcontext: tls.SSLContext, **_: Any
    ) -> Any:
        transport.exchange.tls = True
        transport.context = sslcontext
        transport.set_protocol(protocol)
        return transport

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        before = sock.gettimeout()
        sock.settimeout(PATIENCE)
        sock.connect(address)
        sock.settimeout(before)

    async def sock_sendall(self, sock: socket.socket, data: Any) -> None:
        sock.sendall(data)

    async def sock_recv(self, sock: socket.socket, nbytes: int) -> bytes:
        return sock.recv(nbytes)

    def _no(self, what: str) -> RealNetwork:
        return self.world.net.refuse(f"asyncio's {what} is not there in the test kit: it has no real sockets")

    def add_reader(self, *args: Any) -> None:  # type: ignore[override]
        raise self._no("add_reader")

    def add_writer(self, *args: Any) -> None:  # type: ignore[override]
        raise self._no("add_writer")

    def remove_reader(self, fd: Any) -> bool:
        return False

    def remove_writer(self, fd: Any) -> bool:
        return False

    async def create_server(self, *args: Any, **more: Any) -> Any:
        raise self._no("create_server")

    async def create_datagram_endpoint(self, *args: Any, **more: Any) -> Any:
        raise self._no("create_datagram_endpoint")

    async def create_unix_connection(self, *args: Any, **more: Any) -> Any:
        raise self._no("create_unix_connection")

    async def create_unix_server(self, *args: Any, **more: Any) -> Any:
        raise self._no("create_unix_server")

    async def subprocess_exec(self, *args: Any, **more: Any) -> Any:
        raise self._no("create_subprocess_exec")

    async def subprocess_shell(self, *args: Any, **more: Any) -> Any:
        raise self._no("create_subprocess_shell")
