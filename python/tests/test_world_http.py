"""Faked HTTP servers, through the clients that scripts use, sync and async, with and without TLS."""

from __future__ import annotations

import asyncio
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import pytest
import requests
from siphon_sdk._world import HttpRequest, RealNetwork, World
from world_support import play, play_async

URL = "https://crm.example/users?id=7"


def by_urllib(url: str, timeout: float = 5) -> Any:
    asked = urllib.request.Request(url, data=b'{"q": 1}', headers={"X-Key": "k"}, method="POST")
    with urllib.request.urlopen(asked, timeout=timeout) as reply:
        return reply.status, reply.read()


def by_http_client(url: str, timeout: float = 5) -> Any:
    kind = http.client.HTTPSConnection if url.startswith("https") else http.client.HTTPConnection
    host, _, path = url.partition("://")[2].partition("/")
    connection = kind(host, timeout=timeout)
    connection.request("POST", "/" + path, b'{"q": 1}', {"X-Key": "k"})
    reply = connection.getresponse()
    return reply.status, reply.read()


def by_requests(url: str, timeout: float = 5) -> Any:
    reply = requests.post(url, json={"q": 1}, headers={"X-Key": "k"}, timeout=timeout)
    return reply.status_code, reply.content


def by_httpx(url: str, timeout: float = 5) -> Any:
    reply = httpx.post(url, json={"q": 1}, headers={"X-Key": "k"}, timeout=timeout)
    return reply.status_code, reply.content


async def by_httpx_async(url: str, timeout: float = 5) -> Any:
    async with httpx.AsyncClient(timeout=timeout) as client:
        reply = await client.post(url, json={"q": 1}, headers={"X-Key": "k"})
        return reply.status_code, reply.content


async def by_aiohttp(url: str, timeout: float = 5) -> Any:
    limit = aiohttp.ClientTimeout(total=timeout)
    async with aiohttp.ClientSession(timeout=limit) as session:
        async with session.post(url, json={"q": 1}, headers={"X-Key": "k"}) as reply:
            return reply.status, await reply.read()


async def by_streams(url: str, timeout: float = 5) -> Any:
    tls = url.startswith("https")
    host, _, path = url.partition("://")[2].partition("/")
    reader, writer = await asyncio.wait_for(asyncio.open_connection(host, 443 if tls else 80, ssl=tls), timeout)
    head = f'POST /{path} HTTP/1.1\r\nHost: {host}\r\nX-Key: k\r\nContent-Length: 8\r\n\r\n{{"q": 1}}'
    writer.write(head.encode())
    try:
        status = await asyncio.wait_for(reader.readline(), timeout)
        rest = await reader.read()
    finally:
        writer.close()
    return int(status.split()[1]), rest.partition(b"\r\n\r\n")[2]


SYNC = [by_urllib, by_http_client, by_requests, by_httpx]
ASYNC = [by_httpx_async, by_aiohttp, by_streams]
CLIENTS = [*SYNC, *ASYNC]


def run(world: World, client: Callable[..., Any], url: str, timeout: float = 5) -> tuple[Any, float]:
    if client in ASYNC:
        return play_async(world, lambda: client(url, timeout))
    return play(world, lambda: client(url, timeout))


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_each_client_gets_the_answer_after_its_delay(world: World, client: Any, scheme: str) -> None:
    world.http.add("POST", f"{scheme}://crm.example/users", json={"name": "bob"}, delay=0.25)
    outcome, took = run(world, client, f"{scheme}://crm.example/users?id=7")
    assert outcome == (200, b'{"name": "bob"}')
    assert took == pytest.approx(0.25, abs=1e-4)
    (request,) = world.http.requests
    assert (request.method, request.url) == ("POST", f"{scheme}://crm.example/users?id=7")
    assert request.headers["x-key"] == "k" and request.json() == {"q": 1}
    assert request.at == pytest.approx(1000, abs=1e-3)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_that_is_too_slow_runs_into_the_clients_timeout(world: World, client: Any) -> None:
    world.http.add("POST", "https://crm.example/users", json={}, delay=60)
    outcome, took = run(world, client, URL, timeout=3)
    assert isinstance(outcome, Exception), outcome
    assert took == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_host_that_is_not_faked_is_refused_by_name(world: World, client: Any) -> None:
    outcome, _ = run(world, client, URL)
    assert isinstance(outcome, Exception), outcome
    (sentence, *_) = world.net.refused
    assert "crm.example:443" in sentence and "harness.http.add(" in sentence and "harness.allow_network(" in sentence
    assert _in_chain(outcome, RealNetwork) or "real sockets are closed" in str(outcome), repr(outcome)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_request_that_is_not_faked_is_refused_with_what_is(world: World, client: Any) -> None:
    world.http.add("GET", "https://crm.example/users")
    outcome, _ = run(world, client, URL)
    assert isinstance(outcome, Exception), outcome
    (sentence, *_) = world.net.refused
    assert sentence.startswith("POST https://crm.example/users?id=7 is not faked (faked are: GET https://crm.example/users)")


@pytest.mark.parametrize("client", CLIENTS)
def test_a_server_can_reset_the_connection(world: World, client: Any) -> None:
    world.http.add("POST", "https://crm.example/users", error=ConnectionResetError("reset by peer"), delay=1)
    outcome, took = run(world, client, URL)
    assert isinstance(outcome, Exception), outcome
    assert took == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("client", CLIENTS)
def test_the_row_added_last_answers_as_often_as_it_may(world: World, client: Any) -> None:
    world.http.add("POST", "https://crm.example/*", status=500)
    once = world.http.add("*", URL, text="ok", times=1)
    assert run(world, client, URL)[0] == (200, b"ok")
    assert [request.url for request in once.calls] == [URL]
    outcome = run(world, client, URL)[0]
    assert outcome == (500, b"") or isinstance(outcome, urllib.error.HTTPError)


def test_an_answer_can_be_made_of_the_request(world: World) -> None:
    def reply(request: HttpRequest) -> Any:
        return (201, {"you": request.json()["q"]})

    world.http.add("POST", "http://crm.example/*", reply=reply, headers={"X-Served-By": "test"})
    outcome, _ = play(world, lambda: requests.post("http://crm.example/x", json={"q": 5}, timeout=1))
    assert (outcome.status_code, outcome.json(), outcome.headers["x-served-by"]) == (201, {"you": 5}, "test")


def test_a_chunked_upload_a_head_and_a_session_of_several_requests(world: World) -> None:
    world.http.add("*", "http://crm.example/*", text="body")

    def handler() -> Any:
        with requests.Session() as session:
            chunked = session.post("http://crm.example/up", data=iter([b"abc", b"de"]), timeout=1)
            head = session.head("http://crm.example/x", timeout=1)
            again = session.get("http://crm.example/y", timeout=1)
        return chunked.text, head.headers["content-length"], head.text, again.text

    assert play(world, handler)[0] == ("body", "4", "", "body")
    assert [r.body for r in world.http.requests] == [b"abcde", b"", b""]


def test_requests_in_parallel_take_the_time_of_the_slowest(world: World) -> None:
    for n in range(5):
        world.http.add("GET", f"http://crm.example/{n}", text=str(n), delay=n)

    async def handler() -> Any:
        async with aiohttp.ClientSession() as session:

            async def get(n: int) -> str:
                async with session.get(f"http://crm.example/{n}") as reply:
                    return await reply.text()

            return await asyncio.gather(*(get(n) for n in range(5)))

    outcome, took = play_async(world, handler)
    assert outcome == ["0", "1", "2", "3", "4"]
    assert took == pytest.approx(4, abs=0.01)


def test_two_worlds_do_not_see_each_others_servers(world: World) -> None:
    from world_support import world as another

    world.http.add("POST", "https://crm.example/users", text="first")
    other = another()
    assert isinstance(run(other, by_requests, URL)[0], Exception)
    assert run(world, by_requests, URL)[0] == (200, b"first")
    other.close()


def _in_chain(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False
