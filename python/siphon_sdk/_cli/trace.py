"""What is in a capture, and which of its hosts is ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from .._engine import Capture, Captured
from .trouble import Trouble

Socket = tuple[str, str, int]
"""Transport, address, port."""

_NAMES = {
    "not_sip": "datagrams or connections that are not SIP",
    "other": "packets that are neither UDP nor TCP",
    "tls": "connections in TLS",
    "keepalives": "keepalives",
    "cut": "packets cut short when they were captured",
    "damaged": "damaged packets",
    "fragments_lost": "datagrams with fragments missing",
    "gaps": "gaps in connections",
    "passed_over": "segments passed over because of gaps",
    "unfinished": "messages without their end",
    "forgotten": "connections given up, there were too many",
}


class Trace:
    """A capture file. It may be read any number of times; `fault` says why the last reading ended early."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fault: str | None = None
        self.tally: dict[str, int] = {}

    def __iter__(self) -> Iterator[Captured]:
        self.fault = None
        if self.path.exists() and not self.path.is_file():
            raise Trouble(f"{self.path} is no file; a capture is read twice, so a pipe will not do")
        try:
            capture = Capture(self.path)
        except OSError as error:
            raise Trouble(f"cannot open {self.path}: {error}") from error
        except ValueError as error:
            raise Trouble(f"{self.path}: {error}") from error
        try:
            yield from capture
        except ValueError as error:
            self.fault = f"{self.path}: {error}"
        self.tally = capture.tally()

    def remarks(self) -> list[str]:
        """What stood in it besides messages, worth a line each."""
        told = [f"{self.tally[name]} {text}" for name, text in _NAMES.items() if self.tally.get(name)]
        links = (name for name in self.tally if name.startswith("link "))
        return told + [f"{self.tally[name]} packets of {name} type, which is not read" for name in links]


class Here:
    """Which sockets of a trace are those of the node to be replayed."""

    def __init__(self, sockets: set[Socket], why: str) -> None:
        self.sockets = sockets
        self.why = why

    def has(self, message: Captured) -> bool:
        """Whether the message was sent to the node."""
        return (message.transport, *message.destination) in self.sockets

    def is_host(self, address: str) -> bool:
        """Whether the node has this address."""
        return any(address == ip for _, ip, _ in self.sockets)

    @classmethod
    def find(cls, trace: Trace, given: list[str]) -> Here:
        """Reads the trace once. `given` are addresses, with or without port."""
        requests: Counter[Socket] = Counter()
        talk: Counter[str] = Counter()
        for message in trace:
            talk[message.source[0]] += 1
            talk[message.destination[0]] += 1
            if message.method is not None:
                requests[(message.transport, *message.destination)] += 1
        if not requests:
            remarks = "".join(f"; {remark}" for remark in trace.remarks())
            raise Trouble(trace.fault or f"{trace.path}: no SIP request in it{remarks}")
        hosts: Counter[str] = Counter()
        for (_, ip, _), count in requests.items():
            hosts[ip] += count
        # A proxy also sends on what it receives: of two that received as many, it is in more of the talk.
        ours = max(hosts, key=lambda ip: (hosts[ip], talk[ip], ip))
        if not given:
            why = f"{hosts[ours]} of {hosts.total()} requests were sent there; --local ADDRESS says otherwise"
            return cls({s for s in requests if s[1] == ours}, f"our address is {ours}: {why}")
        wanted = [_address(text) for text in given]
        sockets = {s for s in requests if (s[1], None) in wanted or (s[1], s[2]) in wanted}
        if not sockets:
            there = ", ".join(f"{ip} ({count})" for ip, count in hosts.most_common(5))
            raise Trouble(f"no request was sent to {', '.join(given)}; requests were sent to {there}")
        told = sorted({f"{_bracketed(ip)}:{port}" for _, ip, port in sockets})
        return cls(sockets, f"our address is {', '.join(told)}")


def _address(text: str) -> tuple[str, int | None]:
    """Address and port of `192.0.2.1`, `192.0.2.1:5060`, `2001:db8::1` or `[2001:db8::1]:5060`."""
    import ipaddress

    host, port = text, ""
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    try:
        return str(ipaddress.ip_address(host)), int(port) if port else None
    except ValueError:
        raise Trouble(f"--local {text}: give an IP address, with or without a port") from None


def _bracketed(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


def shown(end: tuple[str, int]) -> str:
    """An address with its port, as it is written in a URI."""
    return f"{_bracketed(end[0])}:{end[1]}"
