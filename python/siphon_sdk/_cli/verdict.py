"""What a script decided about one request of a trace, as text and as JSON."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

from .._engine import Captured
from .trace import shown


@dataclass(frozen=True)
class Verdict:
    """What became of a request. Two are equal when the same leaves the node: the script's line does not count."""

    kind: str
    """`reply`, `relay`, `fork`, `drop`, `nothing`, `error`, `role`, `withdrawn`, `undecided`, `engine`, `malformed`, `none`."""
    code: int = 0
    text: str = ""
    targets: tuple[str, ...] = ()
    places: tuple[tuple[str, str, str], ...] = ()
    """Request-URI, transport and address of all that was sent."""
    answer: tuple[int, str] | None = None
    again: bool = False
    line: str | None = None
    after: float = 0.0
    on: int | None = None
    """The status of the response on which this was decided; None for what was decided about the request itself."""

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> Verdict:
        """From a row of the engine."""
        _, kind, code, text, targets, line, after, again, places, answer, on = row
        if kind == "fork" and len(targets) == 1:
            # What `relay(target)` is to the engine.
            kind = "relay"
        return cls(kind, code, text, tuple(targets), tuple(places), answer, again, line, after, on)

    @property
    def essence(self) -> object:
        """What two verdicts are compared by."""
        # Tracebacks name lines, which move when a script changes.
        text = self.text.rstrip().rpartition("\n")[2] if self.kind == "error" else self.text
        return (self.on, self.kind, self.code, text, self.targets, self.places, self.answer)

    def words(self) -> str:
        """On one line."""
        words = self._what() if self.on is None else f"on {self.on}: {self._what()}"
        hop = ", ".join(f"{over} {address}" for uri, over, address in self.places if not _names(uri, address))
        if hop:
            words += f" via {hop}"
        if self.answer is not None and self.kind not in ("reply", "engine", "error"):
            words += f" (answered {self.answer[0]} {self.answer[1]})"
        if self.after >= 0.001:
            words += f" after {self.after:.3f} s"
        if self.again and self.kind != "engine":
            words += " (again)"
        return words + (f"  {self.line}" if self.line else "")

    def _what(self) -> str:
        match self.kind:
            case "reply":
                return f"reply {self.code} {self.text}"
            case "relay" | "fork":
                return f"{self.kind} {', '.join(self.targets) or 'to nobody'}"
            case "error":
                return f"error: {self.text.rstrip().rpartition(chr(10))[2]}"
            case "malformed":
                return f"not a request: {self.text}"
            case "engine" if self.again:
                return "engine: a retransmission"
            case "engine" if self.answer:
                return f"engine: {self.answer[0]} {self.answer[1]}"
            case "engine":
                return "engine: nothing to do"
            case "nothing":
                return "nothing decided"
            case "none":
                return "nothing further"
            case "role":
                return "left to the role"
            case "withdrawn":
                return "cancelled before it was decided"
            case "undecided":
                return "undecided when the capture ended"
            case other:
                return other

    def json(self) -> dict[str, Any]:
        """As JSON; what says nothing is left out."""
        told: dict[str, Any] = {"kind": self.kind}
        if self.code:
            told["code"] = self.code
        if self.text:
            told["reason" if self.kind == "reply" else "fault"] = self.text
        if self.targets:
            told["targets"] = list(self.targets)
        if self.places:
            told["sent"] = [
                {"uri": uri, "transport": over, "address": address} for uri, over, address in self.places
            ]
        if self.answer:
            told["answer"] = {"code": self.answer[0], "reason": self.answer[1]}
        if self.line:
            told["line"] = self.line
        if self.on:
            told["on"] = self.on
        if self.after:
            told["after"] = self.after
        if self.again:
            told["again"] = True
        return told


def _names(uri: str, address: str) -> bool:
    """Whether the address is the one that the URI names."""
    host = uri.partition(":")[2].partition(";")[0].partition("?")[0].rpartition("@")[2]
    return address in (host, f"{host}:5060")


def when(message: Captured) -> datetime.datetime:
    """The time of a message."""
    begin = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    try:
        return begin + datetime.timedelta(microseconds=message.micros)
    except OverflowError:
        return datetime.datetime.max.replace(tzinfo=datetime.timezone.utc)


def heading(message: Captured) -> str:
    """What a line says of the request itself."""
    asked = f"{message.method} {message.uri}" if message.method else message.first_line
    return f"{when(message):%Y-%m-%d %H:%M:%S.%f} {message.transport} {shown(message.source)} {asked}"


def identity(message: Captured) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "time": when(message).isoformat(),
        "transport": message.transport,
        "source": shown(message.source),
        "destination": shown(message.destination),
        "method": message.method,
        "uri": message.uri,
        "call_id": message.call_id,
        "cseq": message.cseq,
    }
