"""Names and sockets of the world, and that nothing of it shows outside."""

from __future__ import annotations

import asyncio
import concurrent.futures
import http.server
import socket
import threading
from typing import Any

import aiohttp
import httpx
import pytest
from siphon_sdk._world import RealNetwork, World
from world_support import play, play_async


@pytest.fixture
def echo() -> Any:
    """A real server on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    peer, _ = server.accept()
                except OSError:
                    return
                with peer:
                    peer.sendall(peer.recv(100))

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(b"hello")
        return sock.recv(100)


def test_outside_of_handlers_sockets_are_real(world: World, echo: int) -> None:
    assert ask(echo) == b"hello"
    assert play(world, lambda: 1)[0] == 1
    assert ask(echo) == b"hello"


def test_a_real_host_can_be_let_through(world: World, echo: int) -> None:
    refused, _ = play(world, lambda: ask(echo))
    assert isinstance(refused, RealNetwork) and f"127.0.0.1:{echo}" in str(refused)
    world.net.allow("127.*")
    assert play(world, lambda: ask(echo)) == (b"hello", 0.0)


@pytest.fixture
def web() -> Any:
    """A real HTTP server on this machine, whose answers come in pieces."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "400000")
            self.end_headers()
            for _ in range(4):
                self.wfile.write(b"x" * 100_000)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_asyncio_clients_reach_a_host_that_is_let_through(world: World, web: str) -> None:
    async def by_aiohttp() -> Any:
        async with aiohttp.ClientSession() as session:
            sizes = []
            for _ in range(2):
                async with session.get(web) as reply:
                    sizes.append(len(await reply.read()))
            return sizes

    async def by_httpx() -> Any:
        async with httpx.AsyncClient() as client:
            return [len((await client.get(web)).content) for _ in range(2)]

    for handler in (by_aiohttp, by_httpx):
        assert isinstance(play_async(world, handler)[0], Exception)
    world.net.allow("127.0.0.1")
    for handler in (by_aiohttp, by_httpx):
        assert play_async(world, handler) == ([400_000, 400_000], 0.0)


def test_datagrams_and_listening_are_refused(world: World) -> None:
    def datagram() -> Any:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"x", ("192.0.2.1", 53))

    def listen() -> Any:
        with socket.socket() as sock:
            sock.bind(("0.0.0.0", 8080))

    for handler, named in ((datagram, "192.0.2.1:53"), (listen, "0.0.0.0:8080")):
        outcome, _ = play(world, handler)
        assert isinstance(outcome, RealNetwork) and named in str(outcome)


def test_names_come_from_records_then_the_resolver_then_the_fakes(world: World) -> None:
    world.net.add("a.example", "192.0.2.7", "2001:db8::7")
    world.net.resolver = lambda host: ["192.0.2.8"] if host == "b.example" else []
    world.http.add("GET", "http://c.example/")

    def handler() -> Any:
        info = socket.getaddrinfo("a.example", 80, type=socket.SOCK_STREAM)
        return (
            [entry[4][0] for entry in info],
            socket.gethostbyname("b.example"),
            socket.gethostbyname("c.example"),
            socket.gethostbyaddr("192.0.2.7")[0],
            socket.getaddrinfo("192.0.2.1", 5060)[0][4][:2],
        )

    first, *rest = play(world, handler)[0]
    assert first == ["192.0.2.7", "2001:db8::7"]
    assert rest == ["192.0.2.8", "198.18.1.0", "a.example", ("192.0.2.1", 5060)]
    assert isinstance(play(world, lambda: socket.gethostbyname("d.example"))[0], RealNetwork)


def test_what_the_loop_has_no_socket_for_is_refused(world: World) -> None:
    async def serve() -> Any:
        return await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)

    async def run() -> Any:
        return await asyncio.create_subprocess_exec("true")

    async def watch() -> Any:
        asyncio.get_running_loop().add_reader(0, print)

    for handler, what in ((serve, "create_server"), (run, "create_subprocess_exec"), (watch, "add_reader")):
        outcome, _ = play_async(world, handler)
        assert isinstance(outcome, RealNetwork) and what in str(outcome)


def test_work_of_a_thread_pool_is_done_in_the_handlers_time(world: World) -> None:
    def handler() -> Any:
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            slept, failed = pool.submit(world.sleep, 1), pool.submit(lambda: 1 / 0)
            return [type(slept.exception()), type(failed.exception())]

    assert play(world, handler) == ([type(None), ZeroDivisionError], 1.0)


def test_a_thread_of_the_script_follows_the_virtual_clock(world: World) -> None:
    slept, ended = [], threading.Event()

    def background() -> None:
        world.sleep(5)
        slept.append(world.time)
        ended.set()

    play(world, lambda: threading.Thread(target=background, daemon=True).start())
    assert not ended.wait(0.05)
    world.advance(world.now_us + 5_000_000)
    assert ended.wait(10) and slept == [1005.0]


def test_a_thread_that_polls_ends_with_the_world(world: World) -> None:
    polls = []

    def poll() -> None:
        while True:
            polls.append(world.time)
            world.sleep(60)

    thread = threading.Thread(target=poll)
    play(world, thread.start)
    world.close()
    thread.join(10)
    assert not thread.is_alive() and polls == [1000.0]


def test_handlers_take_turns_in_the_same_order_every_time(world: World) -> None:
    def order() -> list[int]:
        seen: list[int] = []

        def job(n: int) -> None:
            for _ in range(3):
                world.sleep(n % 3)
                seen.append(n)

        for n in range(8):
            world.spawn(lambda n=n: job(n))  # type: ignore[misc]
        world.run()
        while (at := world.deadline()) is not None:
            world.advance(at)
            world.run()
        return seen

    first = order()
    assert len(first) == 24
    assert [order() for _ in range(5)] == [first] * 5


def test_after_a_restart_nothing_of_before_goes_on(world: World) -> None:
    seen = []

    def before() -> None:
        world.sleep(1)
        seen.append("before")

    world.spawn(before)
    world.run()
    world.restart()
    assert play_async(world, lambda: asyncio.sleep(2, "after")) == ("after", 2.0)
    assert seen == []


def test_closing_ends_handlers_and_their_threads() -> None:
    from world_support import world as make

    # A handler that another test let hang still has its thread.
    before = set(threading.enumerate())
    for _ in range(20):
        made = make()
        made.spawn(lambda: made.sleep(9))
        made.spawn(lambda: None)
        made.loop.call_soon_threadsafe(lambda: None)
        made.run()
        made.close()
    new = set(threading.enumerate()) - before
    for thread in new:
        thread.join(10)
    assert not [thread for thread in new if thread.is_alive()]
