"""Faked HTTP servers: a table of answers, and the server's end of each connection to them (RFC 9112)."""

from __future__ import annotations

import fnmatch
import json as json_text
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from siphon_sdk._world.errors import RealNetwork


@dataclass(frozen=True)
class HttpRequest:
    """A request that a script made."""

    method: str
    """Its method, as the client wrote it."""
    url: str
    """The whole URL, with scheme, host and query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    """The octets of the body."""
    at: float
    """Virtual Unix time."""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body read as JSON; ValueError when it is none."""
        return json_text.loads(self.body)


@dataclass
class Fake:
    """One row of the table of faked answers, as `Http.add` made it."""

    method: str
    """The method it answers; `*` for any."""
    url: str
    """The URL it answers, `*` standing for anything."""
    status: int
    """Status code of its answers."""
    headers: list[tuple[str, str]]
    """Header fields of its answers."""
    body: bytes
    """Body of its answers."""
    delay: float
    """Virtual seconds until an answer comes."""
    error: BaseException | None
    """What comes instead of an answer."""
    times: int | None
    """How many requests it answers; None for any number."""
    reply: Callable[[HttpRequest], Any] | None
    """What makes each answer, where that was given."""
    calls: list[HttpRequest] = field(default_factory=list)
    """The requests that it answered."""

    def fits(self, method: str, url: str) -> bool:
        """Whether it would answer such a request now."""
        if self.times is not None and len(self.calls) >= self.times:
            return False
        if self.method not in ("*", method):
            return False
        asked = url if "?" in self.url else url.partition("?")[0]
        return asked == self.url or fnmatch.fnmatchcase(asked, self.url.replace("[", "[[]").replace("?", "[?]"))


@dataclass(frozen=True)
class Answer:
    """What goes back on a connection, and when."""

    data: bytes
    at_us: int
    closes: bool = False
    error: BaseException | None = None


def _parts(url: str) -> tuple[str, int]:
    split = urlsplit(url)
    if split.scheme not in ("http", "https") or not split.hostname:
        raise ValueError(f"{url!r} is no http or https URL with a host")
    return split.hostname.lower(), split.port or (443 if split.scheme == "https" else 80)


class Http:
    """The faked HTTP servers that a script can ask. Other hosts are refused, see `allow_network`."""

    def __init__(self, now_us: Callable[[], int], refuse: Callable[[str], RealNetwork]) -> None:
        self._now_us, self._refuse = now_us, refuse
        self._fakes: list[Fake] = []
        self.requests: list[HttpRequest] = []
        """Every request that reached a faked host, answered or not, in order."""

    def __repr__(self) -> str:
        return f"<http, {len(self._fakes)} answers entered, {len(self.requests)} requests>"

    def add(
        self,
        method: str,
        url: str,
        *,
        status: int = 200,
        json: Any = None,
        text: str | None = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
        error: BaseException | None = None,
        times: int | None = None,
        reply: Callable[[HttpRequest], Any] | None = None,
    ) -> Fake:
        """Answers requests of `method` (`"*"`: any) to `url`.

        `*` in the URL stands for anything; a URL without a query fits any query. The row added last is looked at
        first; one with `times` answers so many requests and then fits no more. `delay` is virtual seconds until the
        answer comes; with `error` that exception comes instead. `reply` is called with the `HttpRequest` and returns
        a status, a `(status, value)` pair, or a value: bytes, text, or anything that JSON can say.
        """
        _parts(url.replace("*", "x"))
        fields = list((headers or {}).items())
        named = {name.lower() for name, _ in fields}
        if json is not None:
            body = json_text.dumps(json).encode()
            kind = "application/json"
        elif text is not None:
            body, kind = text.encode(), "text/plain; charset=utf-8"
        else:
            kind = "application/octet-stream"
        if body and "content-type" not in named:
            fields.append(("Content-Type", kind))
        fake = Fake(method.upper(), url, status, fields, body, delay, error, times, reply)
        self._fakes.append(fake)
        return fake

    def serves(self, host: str, port: int | None = None) -> bool:
        """Whether there is a row for this host (and port)."""
        for fake in self._fakes:
            pattern, its_port = _parts(fake.url.replace("*", "star--"))
            pattern = pattern.replace("star--", "*")
            if fnmatch.fnmatchcase(host.lower(), pattern) and port in (None, its_port):
                return True
        return False

    def answer(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer to a request."""
        now_us = self._now_us()
        request = HttpRequest(method, url, headers, body, now_us / 1e6)
        self.requests.append(request)
        fake = next((fake for fake in reversed(self._fakes) if fake.fits(method, url)), None)
        if fake is None:
            known = ", ".join(f"{fake.method} {fake.url}" for fake in self._fakes)
            error = self._refuse(
                f"{method} {url} is not faked (faked are: {known}). "
                f'Fake it with harness.http.add("{method}", "{url.partition("?")[0]}", ...)'
            )
            return Answer(b"", now_us, True, error)
        fake.calls.append(request)
        at_us = now_us + round(fake.delay * 1e6)
        if fake.error is not None:
            return Answer(b"", at_us, True, fake.error)
        status, fields, content = fake.status, list(fake.headers), fake.body
        if fake.reply is not None:
            status, content, kind = _replied(fake.reply(request), status)
            if content and not any(name.lower() == "content-type" for name, _ in fields):
                fields.append(("Content-Type", kind))
        return Answer(_response(method, status, fields, content), at_us, True)


def _replied(value: Any, status: int) -> tuple[int, bytes, str]:
    if isinstance(value, int) and not isinstance(value, bool):
        return value, b"", ""
    if isinstance(value, tuple):
        status, value = value
    if isinstance(value, bytes):
        return status, value, "application/octet-stream"
    if isinstance(value, str):
        return status, value.encode(), "text/plain; charset=utf-8"
    return status, json_text.dumps(value).encode(), "application/json"


def _response(method: str, status: int, fields: list[tuple[str, str]], body: bytes) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    # One exchange per connection: no client keeps what the world would have to keep open.
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in fields)]
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1") + (b"" if method == "HEAD" else body)


HELLO = b"\x16siphon"
"""Begins a connection that pretends TLS between two buffers."""


class Exchange:
    """The server's end of one connection."""

    def __init__(self, http: Http, host: str, address: str, port: int) -> None:
        self.host, self.address, self.port = host, address, port
        self.tls = False
        self._http, self._unread = http, b""

    def feed(self, data: bytes) -> list[Answer]:
        """Takes octets of the client; the answers to the requests that are whole now."""
        self._unread += data
        if self._unread.startswith(HELLO):
            self.tls, self._unread = True, self._unread[len(HELLO) :]
        answers = []
        while (parsed := _request(self._unread)) is not None:
            method, target, headers, body, self._unread = parsed
            answers.append(self._http.answer(method, self._url(target), headers, body))
        return answers

    def _url(self, target: str) -> str:
        if "://" in target:
            return target
        scheme, usual = ("https", 443) if self.tls else ("http", 80)
        port = "" if self.port == usual else f":{self.port}"
        return f"{scheme}://{self.host}{port}{target}"


def _request(data: bytes) -> tuple[str, str, dict[str, str], bytes, bytes] | None:
    """Method, target, header fields and body of the first request, and what follows; None when it is not whole."""
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, _, target = first.partition(" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    target = target.rpartition(" ")[0]
    if "chunked" in headers.get("transfer-encoding", "").lower():
        chunked = _chunks(rest)
        return None if chunked is None else (method, target, headers, *chunked)
    length = int(headers.get("content-length") or 0)
    if len(rest) < length:
        return None
    return method, target, headers, rest[:length], rest[length:]


def _chunks(data: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while True:
        size, found, rest = data.partition(b"\r\n")
        if not found:
            return None
        length = int(size.partition(b";")[0], 16)
        if len(rest) < length + 2:
            return None
        body, data = body + rest[:length], rest[length + 2 :]
        if length == 0:
            return body, data
