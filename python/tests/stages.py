"""One scenario on two stages: the kit, and a daemon on loopback with the same YAML, script, addresses and octets."""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

from siphon_sdk import Message, SipTestHarness, _digest
from siphon_sdk._writing import assemble, reply_to

# How long the daemon may take for what the kit says will come; a machine under load is slow.
PATIENCE = 10.0
# How long the daemon is watched for what the kit says will not come.
GRACE = 0.03
# Two flows in base 64.
TOKEN = r"<sip:[A-Za-z0-9_-]{50,}@"
# What the daemon logs when it has reloaded, or could not.
RELOADED = "reloaded: "


def text_of(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").replace("\r\n", "\n")


class Stage:
    """Sends as a client or a next hop, and keeps what the node sent to each of them."""

    def __init__(self, node: tuple[str, int], people: dict[str, int]) -> None:
        self.node, self.people = node, people
        self.inbox: dict[str, list[Message]] = {name: [] for name in people}
        self.name, self.transport = "", "udp"
        self.counts: list[dict[str, int]] = []
        self._serial = 0

    def begin(self, name: str, transport: str = "udp") -> None:
        """A scenario of its own: its Call-IDs and branches are named after it."""
        self.name, self.transport, self._serial, self.counts = name, transport, 0, []
        self.inbox = {name: [] for name in self.people}

    def uri(self, who: str, user: str = "") -> str:
        over = ";transport=tcp" if self.transport == "tcp" else ""
        return f"sip:{user + '@' if user else ''}127.0.0.1:{self.people[who]}{over}"

    @property
    def here(self) -> str:
        return f"sip:{self.node[0]}:{self.node[1]}"

    # ---- sending ----------------------------------------------------------------------------------------------------

    def request(self, method: str, do: str = "", *, who: str = "client", uri: str = "", **headers: str) -> bytes:
        """A request of `who`, which is sent; keyword `X_Name` is header `X-Name`."""
        self._serial += 1
        number = self._serial
        fields = {
            "Via": f"SIP/2.0/{self.transport.upper()} 127.0.0.1:{self.people[who]};branch=z9hG4bK-t-{self.name}-{number};rport",
            "Max-Forwards": "70",
            "From": "<sip:alice@example.com>;tag=t-from",
            "To": f"<{uri or self.here}>",
            "Call-ID": self.name,
            "CSeq": f"{number} {method}",
            "Contact": f"<{self.uri(who, 'alice')}>",
        }
        if do:
            fields["X-Do"] = do
        body = headers.pop("body", "")
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        present = [(name, value) for name, value in fields.items() if value]
        raw = assemble(f"{method} {uri or self.here} SIP/2.0", present, body.encode())
        self.send(who, raw)
        return raw

    def reply(self, who: str, code: int, *, to: Message | None = None, **headers: str) -> None:
        """`who` answers the last request it got, or the one given."""
        request = to or [m for m in self.inbox[who] if m.is_request and m.method != "ACK"][-1]
        if request.method == "INVITE" and code < 300:
            headers.setdefault("Contact", f"<{self.uri(who)}>")
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.send(who, reply_to(request, code, None, f"t-{who}", fields, b""), back_to=request.source)

    def ack(self, who: str, invite: bytes) -> None:
        """The ACK to a failure (RFC 3261 17.1.1.3)."""
        sent, final = Message(invite), self.inbox[who][-1]
        fields = [
            ("Via", sent.values("Via")[0]),
            ("Max-Forwards", "70"),
            ("From", sent["From"]),
            ("To", final["To"]),
            ("Call-ID", sent.call_id),
            ("CSeq", f"{sent.cseq[0]} ACK"),
        ]
        self.send(who, assemble(f"ACK {sent.uri} SIP/2.0", fields, b""))

    def cancel(self, invite: bytes) -> None:
        sent = Message(invite)
        fields = [(n, v) for n, v in sent.fields if n in ("Via", "Max-Forwards", "From", "To", "Call-ID")]
        self.send("client", assemble(f"CANCEL {sent.uri} SIP/2.0", [*fields, ("CSeq", f"{sent.cseq[0]} CANCEL")], b""))

    def in_dialog(self, method: str, who: str = "client", **headers: str) -> bytes:
        """A request inside the dialog that the last 2xx to the INVITE made."""
        answer = [m for m in self.inbox["client"] if m.status_code == 200 and m.cseq[1] == "INVITE"][-1]
        routes = answer.values("Record-Route")
        number = str(answer.cseq[0]) if method == "ACK" else ""
        more = {"CSeq": f"{number} ACK"} if number else {}
        return self.request(
            method,
            who=who,
            uri=answer.contact or "",
            To=answer["To"],
            Route=", ".join(reversed(routes)),
            **more,
            **headers,
        )

    def credentials(self, user: str, password: str, method: str) -> str:
        """The answer to the challenge that came last."""
        return _digest.answer(self.inbox["client"][-1], method, self.here, b"", user, password)[0][1]

    def send(self, who: str, raw: bytes, *, back_to: str = "") -> None:
        """Sends to the node; over TCP on the connection with `back_to`, else with its listener."""
        raise NotImplementedError

    def disconnect(self, who: str) -> None:
        """Breaks the connections of somebody with the node."""
        raise NotImplementedError

    def pause(self, seconds: float) -> None:
        raise NotImplementedError

    def reload(self, file: Path, text: str) -> None:
        """Writes the script or the YAML, and reloads."""
        raise NotImplementedError

    # ---- comparing --------------------------------------------------------------------------------------------------

    def shown(self, *, timed: bool) -> str:
        """What each got from the node, with what may differ masked: the n-th new branch is the n-th everywhere.

        Unless the scenario is about time, copies and the 100 of a daemon that was kept off its processor do not count.
        """
        names: dict[str, str] = {}

        def masked(kind: str, value: str) -> str:
            return names.setdefault(value, f"{kind}{sum(n.startswith(kind) for n in names.values()) + 1}")

        def mask(text: str) -> str:
            text = re.sub(r"branch=(?!z9hG4bK-t-)([^;,\s>]+)", lambda m: "branch=" + masked("BRANCH", m[1]), text)
            text = re.sub(r"tag=(?!t-)([^;,\s>]+)", lambda m: "tag=" + masked("TAG", m[1]), text)
            text = re.sub(r'(nonce|opaque)="([^"]*)"', lambda m: f'{m[1]}="' + masked("NONCE", m[2]) + '"', text)
            text = re.sub(r"(Record-Route|Route): .*", lambda m: re.sub(r";lr;[^>;]+", ";lr;TOKEN", re.sub(TOKEN, "<sip:TOKEN@", m[0])), text)
            text = re.sub(r"^Date: .*$", "Date: THEN", text, flags=re.M)
            return re.sub(r"expires=(3599|3600)\b", "expires=3600", text)

        parts: list[str] = []
        for who in sorted(self.inbox):
            got = self.inbox[who] if timed else dict.fromkeys(m for m in self.inbox[who] if m.status_code != 100)
            for m in got:
                parts.append(f"--- to {who}\n{mask(text_of(m.raw))}")
        return "\n".join(parts)


class KitStage(Stage):
    """The kit."""

    def __init__(self, harness: SipTestHarness, node: tuple[str, int], people: dict[str, int]) -> None:
        super().__init__(node, people)
        self._harness = harness
        self._first = 0

    def begin(self, name: str, transport: str = "udp") -> None:
        super().begin(name, transport)
        self._first = self._harness.position()[0]

    def send(self, who: str, raw: bytes, *, back_to: str = "") -> None:
        here = ("127.0.0.1", self.people[who])
        ip, _, port = back_to.rpartition(":")
        to = (ip, int(port)) if back_to and self.transport == "tcp" else self.node
        self._harness._kit.send(self.transport, here, to, raw, False)
        self._harness.settle()
        self._collect()

    def disconnect(self, who: str) -> None:
        self._harness.disconnect(source_port=self.people[who])
        self._collect()

    def pause(self, seconds: float) -> None:
        self._harness.advance(seconds)
        self._collect()

    def reload(self, file: Path, text: str) -> None:
        file.write_text(text)
        if file.suffix == ".yaml":
            self._harness.reconfigure(file)
        else:
            self._harness.reload()

    def _collect(self) -> None:
        ports = {f"127.0.0.1:{port}": who for who, port in self.people.items()}
        self.inbox = {who: [] for who in self.people}
        for m in self._harness.sent_from(self._first):
            if m.call_id in (self.name, "") and m.destination in ports:
                self.inbox[ports[m.destination]].append(m)
        self.counts.append({who: len(got) for who, got in self.inbox.items()})


class Person:
    """Sockets of somebody on loopback: one port for UDP, for a listener and for connections of his own."""

    def __init__(self, listens: bool) -> None:
        self.udp = self._socket(socket.SOCK_DGRAM, 0)
        self.port: int = self.udp.getsockname()[1]
        self.listener = self._socket(socket.SOCK_STREAM, self.port) if listens else None
        if self.listener is not None:
            self.listener.listen()
        self._streams: dict[str, tuple[socket.socket, bytearray]] = {}

    @staticmethod
    def _socket(kind: socket.SocketKind, port: int) -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            # It breaks when it is closed, as a connection does in the kit, and leaves its ends free for the next.
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        made.bind(("127.0.0.1", port))
        made.setblocking(False)
        return made

    def send(self, raw: bytes, node: tuple[str, int], transport: str, back_to: str) -> None:
        if transport == "udp":
            self.udp.sendto(raw, node)
            return
        peer = back_to or f"{node[0]}:{node[1]}"
        if peer not in self._streams:
            stream = self._socket(socket.SOCK_STREAM, self.port)
            stream.setblocking(True)
            stream.connect(node)
            stream.setblocking(False)
            self._streams[peer] = (stream, bytearray())
        self._streams[peer][0].sendall(raw)

    def take(self) -> list[tuple[bytes, str]]:
        """The messages that came, and from where."""
        came: list[tuple[bytes, str]] = []
        try:
            while True:
                raw, source = self.udp.recvfrom(65536)
                came.append((raw, f"{source[0]}:{source[1]}"))
        except BlockingIOError:
            pass
        try:
            while self.listener is not None:
                stream, source = self.listener.accept()
                stream.setblocking(False)
                self._streams[f"{source[0]}:{source[1]}"] = (stream, bytearray())
        except BlockingIOError:
            pass
        for peer, (stream, unread) in list(self._streams.items()):
            try:
                while data := stream.recv(65536):
                    unread += data
                self._streams.pop(peer)[0].close()
            except BlockingIOError:
                pass
            except ConnectionError:
                self._streams.pop(peer)[0].close()
            while (whole := _first_message(unread)) is not None:
                came.append((whole, peer))
        return came

    def disconnect(self) -> None:
        for stream, _ in self._streams.values():
            stream.close()
        self._streams.clear()

    def close(self) -> None:
        self.disconnect()
        self.udp.close()
        if self.listener is not None:
            self.listener.close()


def _first_message(unread: bytearray) -> bytes | None:
    """Takes the first message that is whole (RFC 3261 18.3)."""
    while unread.startswith(b"\r\n"):
        del unread[:2]
    head, found, _ = bytes(unread).partition(b"\r\n\r\n")
    length = re.search(rb"\r\n(?:Content-Length|l) *: *(\d+)", head, re.I)
    size = len(head) + 4 + (int(length[1]) if length else 0)
    if not found or len(unread) < size:
        return None
    raw = bytes(unread[:size])
    del unread[:size]
    return raw


class DaemonStage(Stage):
    """A daemon: waits for as many messages as the kit had at the same step."""

    def __init__(self, config: Path, node: tuple[str, int], persons: dict[str, Person]) -> None:
        super().__init__(node, {who: person.port for who, person in persons.items()})
        self._persons = persons
        self.expected: list[dict[str, int]] = []
        start = "import sys; from siphon_sdk import _roles; sys.argv = ['siphon-proxy', *sys.argv[1:]]; _roles.proxy()"
        self._log = open(config.parent / "daemon.log", "wb")
        self._process = subprocess.Popen(
            [sys.executable, "-c", start, "--config", str(config)], stdout=self._log, stderr=self._log
        )
        self._wait_until_it_answers(config)

    def _wait_until_it_answers(self, config: Path) -> None:
        self.begin("is-it-there")
        self.expected = [{"client": 0}] * 1000
        for _ in range(200):
            self.request("OPTIONS")
            if self.inbox["client"]:
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        self.close()
        raise RuntimeError((config.parent / "daemon.log").read_text())

    def send(self, who: str, raw: bytes, *, back_to: str = "") -> None:
        self._persons[who].send(raw, self.node, self.transport, back_to)
        self._await(0.0)

    def disconnect(self, who: str) -> None:
        self._persons[who].disconnect()
        self._await(0.0)

    def pause(self, seconds: float) -> None:
        self._await(seconds)

    def reload(self, file: Path, text: str) -> None:
        # The file was written by the kit, which ran first, and again here: the directory is watched.
        before = self._reloads()
        file.write_text(text)
        os.kill(self._process.pid, signal.SIGHUP)
        began = time.monotonic()
        while self._reloads() == before:
            assert time.monotonic() - began < PATIENCE, Path(self._log.name).read_text()
            time.sleep(0.01)

    def _reloads(self) -> int:
        """How often it said that it loaded the script anew."""
        return Path(self._log.name).read_text().count(RELOADED)

    def _await(self, at_least: float) -> None:
        wanted = self.expected[len(self.counts)] if len(self.counts) < len(self.expected) else {}
        began = time.monotonic()
        while True:
            self._take()
            spent = time.monotonic() - began
            here = all(len(self.inbox[who]) >= count for who, count in wanted.items())
            if spent >= at_least and (here or spent > at_least + PATIENCE):
                break
            time.sleep(0.002)
        time.sleep(GRACE)
        self._take()
        self.counts.append({who: len(got) for who, got in self.inbox.items()})

    def _take(self) -> None:
        for who, person in self._persons.items():
            for raw, source in person.take():
                m = Message(raw, source=source, destination=f"127.0.0.1:{self.people[who]}")
                # What a message without a Call-ID got has none either.
                if m.call_id in (self.name, ""):
                    self.inbox[who].append(m)

    def close(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()
