"""The migration table from Kamailio and OpenSIPS: each row with what is sent, and what its peers see of it.

`play` runs on any `Wire`: the kit, our daemon, Kamailio. What it returns is what the row promises.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from siphon_sdk import Message, SipTestHarness
from siphon_sdk._writing import assemble, reply_to

# How long a server may take for what must come; a machine under load is slow.
PATIENCE = 15.0

WHO: tuple[str, ...] = ("client", "one", "two")


class Wire:
    """A client and two next hops around a server."""

    def __init__(self, node: tuple[str, int], people: dict[str, int]) -> None:
        self.node, self.people = node, people
        self._serial = 0
        self._name = ""
        self._seen: set[tuple[str, bytes]] = set()

    def begin(self, name: str) -> None:
        """A row of its own: its Call-IDs are named after it."""
        self._name, self._serial = name, 0
        self._seen = set()

    @property
    def here(self) -> str:
        return f"127.0.0.1:{self.node[1]}"

    def uri(self, who: str, user: str = "") -> str:
        return f"sip:{user + '@' if user else ''}127.0.0.1:{self.people[who]}"

    def request(self, method: str = "MESSAGE", row: str | None = None, uri: str = "sip:bob@example.com", **more: str) -> Message:
        """Sends a request of the client to the function of a row (this one's unless another is named)."""
        self._serial += 1
        fields = {
            "Via": f"SIP/2.0/UDP {self.uri('client')[4:]};branch=z9hG4bK-{self._name}-{self._serial};rport",
            "Max-Forwards": "70",
            "From": "<sip:alice@example.com>;tag=caller",
            "To": "<sip:bob@example.com>",
            "Call-ID": f"{self._name}-{self._serial}",
            "CSeq": f"{self._serial} {method}",
            "Contact": f"<{self.uri('client', 'alice')}>",
            "X-Row": self._name if row is None else row,
            "X-One": self.uri("one"),
            "X-Two": self.uri("two"),
        }
        fields.update({name.replace("_", "-"): value for name, value in more.items()})
        present = [(name, value) for name, value in fields.items() if value]
        raw = assemble(f"{method} {uri} SIP/2.0", present, b"")
        self.send("client", raw)
        return Message(raw)

    def reply(self, who: str, request: Message, code: int) -> None:
        """A next hop answers what it got."""
        self.send(who, reply_to(request, code, None, f"tag-{who}", None, b""))

    def answered(self, who: str = "one", code: int = 200) -> Message:
        """The next request at a next hop, answered with `code`."""
        request = self.take(who)
        self.reply(who, request, code)
        return request

    def cancel(self, invite: Message) -> None:
        kept = [(n, v) for n, v in invite.fields if n in ("Via", "Max-Forwards", "From", "To", "Call-ID")]
        self.send("client", assemble(f"CANCEL {invite.uri} SIP/2.0", [*kept, ("CSeq", f"{invite.cseq[0]} CANCEL")], b""))

    def take(self, who: str = "client") -> Message:
        """The next message of this row to somebody: no 100, no ACK to a failure, no copy."""
        while True:
            message = self._next(who)
            if message.call_id.startswith(f"{self._name}-") and (who, message.raw) not in self._seen:
                self._seen.add((who, message.raw))
                if message.status_code != 100 and message.method != "ACK":
                    return message

    def status(self) -> int | None:
        """The status of the client's next response."""
        return self.take().status_code

    def send(self, who: str, raw: bytes) -> None:
        raise NotImplementedError

    def _next(self, who: str) -> Message:
        raise NotImplementedError


class KitWire(Wire):
    """The kit; time passes in it while something is awaited."""

    def __init__(self, harness: SipTestHarness) -> None:
        super().__init__(("127.0.0.1", 5060), {"client": 6000, "one": 6001, "two": 6002})
        self.harness = harness
        self._read = dict.fromkeys(WHO, 0)

    def send(self, who: str, raw: bytes) -> None:
        self.harness.raw(raw, source_port=self.people[who])

    def _next(self, who: str) -> Message:
        place = f"127.0.0.1:{self.people[who]}"
        for _ in range(100):
            for message in self.harness.messages[self._read[who] :]:
                self._read[who] += 1
                if message.destination == place:
                    return message
            self.harness.advance(0.1)
        raise AssertionError(f"nothing reached {who}:\n{self.harness.ladder()}")


class SocketWire(Wire):
    """A server on loopback."""

    def __init__(self, port: int, sockets: dict[str, socket.socket]) -> None:
        super().__init__(("127.0.0.1", port), {who: s.getsockname()[1] for who, s in sockets.items()})
        self._sockets = sockets

    def send(self, who: str, raw: bytes) -> None:
        self._sockets[who].sendto(raw, self.node)

    def _next(self, who: str, patience: float = PATIENCE) -> Message:
        end = time.monotonic() + patience
        s = self._sockets[who]
        while (left := end - time.monotonic()) > 0:
            if select.select([s], [], [], left)[0]:
                raw, source = s.recvfrom(65536)
                # An answer to a port where a server was not listening yet, or the last words of the one before.
                if source[1] == self.node[1]:
                    return Message(raw, source=f"127.0.0.1:{source[1]}", destination=f"127.0.0.1:{self.people[who]}")
        raise AssertionError(f"nothing reached {who} of {self._name} within {patience} s")

    def is_there(self) -> bool:
        """Whether the server answers a request, asked for a moment."""
        self.begin("is-it-there")
        self.request("OPTIONS", "answer")
        try:
            return self._next("client", 0.2).status_code is not None
        except (AssertionError, ConnectionError):
            return False


Play = Callable[[Wire], object]


@dataclass(frozen=True)
class Row:
    """A row of the table."""

    there: str
    here: str
    name: str
    play: Play
    seen: object
    """What `play` returns everywhere."""
    in_kamailio: bool = True
    """Whether Kamailio is asked too."""


ROWS: list[Row] = []


def row(there: str, here: str, seen: object, in_kamailio: bool = True) -> Callable[[Play], Play]:
    """Enters a row under the name of its function, which is also that of the script's."""

    def enter(play: Play) -> Play:
        ROWS.append(Row(there, here, play.__name__, play, seen, in_kamailio))
        return play

    return enter
