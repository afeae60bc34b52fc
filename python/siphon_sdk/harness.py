"""`SipTestHarness`: a script on the real engine, on a pretend network in virtual time."""

from __future__ import annotations

import bisect
import os
import weakref
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal

from . import _digest
from ._engine import Kit
from ._setup import Config, Script, Yaml, smallest_role, yaml_of
from ._world import Http, World
from ._writing import Headers, assemble, octets, pairs, reply_to
from .agent import UserAgent
from .message import Message, canonical
from .observed import Binding, Decision, Dns, Log, MediaEngines, Metrics, Registrar
from .results import CallResult, ReplyResult, RequestResult

# No question to a script stays open longer than `script.deadline_secs`, 60 s unless the YAML says otherwise.
_PATIENCE = 600.0

# When the virtual clock starts, in microseconds of Unix time: as the simulator's.
_START = 1_900_000_000_000_000

Transport = Literal["udp", "tcp"]

alive: weakref.WeakSet[SipTestHarness] = weakref.WeakSet()
"""Every harness of the process, for the report of a test that fails."""


class SipTestHarness:
    """Runs a script as the daemon does: the same engine, the same YAML, no thread, no port, no waiting.

    `script` is a path; without one the script that the YAML names, else the role's own. `role` is the smallest role
    whose names cover the script's imports. `config` is a YAML file, YAML text or a dict, default the role's built-in
    configuration; `users` (name: password) and `domains` are put into it. Everything random follows from `seed`: the
    same seed gives the same messages, octet by octet. `shards` overrides the YAML; default 1.

    Errors of the YAML and of the script raise RuntimeError with the text the daemon would have shown.
    """

    def __init__(
        self,
        script: str | os.PathLike[str] | None = None,
        *,
        role: str | None = None,
        config: Config = None,
        users: Mapping[str, str] | None = None,
        domains: Iterable[str] | None = None,
        seed: int = 1,
        shards: int | None = None,
    ) -> None:
        if shards is not None and not 1 <= shards <= 1024:
            raise ValueError(f"shards is {shards}: it is a number from 1 to 1024")
        if not 0 <= seed < 1 << 64:
            raise ValueError(f"seed is {seed}: it is a number from 0 to 2^64 - 1")
        self._script: Script | None = None if script is None else _script_at(script)
        self._role, self._seed, self._shards = role, seed, shards
        self._yaml: Yaml = yaml_of(config, users, domains)
        self._engine: Kit | None = None
        self._messages: list[Message] = []
        self._entries: list[int] = []
        self._read = 0
        self._serial = 0
        self._clients: dict[tuple[str, int], str] = {}
        self._agents: dict[str, UserAgent] = {}
        self._domains: list[str] = []
        self._last: RequestResult | None = None
        self._dns: Dns | None = None
        self._world = self._new_world()
        self._log: Log | None = None
        self._last_words = ("", "")
        alive.add(self)
        if script is not None or config is not None:
            self._kit  # noqa: B018 - what does not load is told where the harness is made

    # ---- life -------------------------------------------------------------------------------------------------------

    @property
    def _kit(self) -> Kit:
        if self._engine is None:
            script = self._script
            role = self._role or smallest_role("" if script is None else script.read())
            self._engine = Kit(
                role,
                self._yaml.text,
                self._yaml.name,
                self._yaml.file,
                None if script is None else script.file,
                None if script is None else script.inline,
                self._seed,
                self._shards,
                self._world,
            )
            self._dns, self._log = Dns(self._engine), Log(self._engine)
            self._world.net.resolver = self._dns.addresses
        return self._engine

    def _new_world(self) -> World:
        world = World(self._seed, _START)
        # Handlers that still wait have stacks of their own, which end with the harness.
        self._ending = weakref.finalize(self, world.close)
        return world

    @property
    def http(self) -> Http:
        """Faked HTTP servers for scripts that ask one: `harness.http.add("GET", url, json=...)`. Real ones cannot be reached,
        see `allow_network`."""
        return self._world.http

    def allow_network(self, host: str) -> None:
        """Lets the script open real connections to `host` (`*` at the front stands for any label)."""
        self._world.net.allow(host)

    def load_script(self, path: str | os.PathLike[str]) -> None:
        """Loads a script, or replaces the running one as a reload does: bindings and calls stay."""
        self._replace(_script_at(path))

    def load_source(self, source: str, name: str = "<test>") -> None:
        """The same with the script as text; `name` is what tracebacks call it."""
        self._replace(Script(text=source, name=name))

    def _replace(self, script: Script) -> None:
        before, self._script = self._script, script
        try:
            if self._engine is None:
                self._kit  # noqa: B018
            else:
                self._engine.reload(script.file, script.inline)
        except BaseException:
            self._script = before
            raise

    def reload(self) -> int:
        """Loads the script again from where it is; the number of the generation that runs now. A script that does not
        load raises, and the one before keeps running."""
        return self._kit.reload(None, None)

    def reconfigure(self, config: Config) -> None:
        """Takes over what the daemon takes over of a changed YAML while it runs: accounts and limits of the registrar. All
        else stays, and a `restart` goes back to the first one."""
        yaml = yaml_of(config, None, None)
        if yaml.text is None:
            raise ValueError("there is no configuration to take over")
        self._kit.configure(yaml.text, yaml.name, yaml.file)

    def kill(self) -> None:
        """The node dies and forgets everything; what is sent to it is lost until `restart`."""
        self._kit.stop()
        self._world.restart()

    def restart(self) -> None:
        """The node starts anew, with the same secret and an empty memory."""
        self.kill()
        self._kit.restart()
        self._kit.set_domains(self._domains)

    def close(self) -> None:
        """Lets go of the node. Using the harness again starts another one."""
        world, ending = self._world, self._ending
        # A handler that hangs there is told at the end: the harness is a new one by then.
        self._world = self._new_world()
        ending.detach()
        self._engine, self._dns, self._log, self._last = None, None, None, None
        self._messages, self._entries, self._read = [], [], 0
        self._clients, self._agents = {}, {}
        world.close()

    def __enter__(self) -> SipTestHarness:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        # What the report of a failed test shows must outlive the harness.
        self._last_words = self.since(1, 0) if kind is not None else ("", "")
        self.close()

    # ---- time -------------------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Unix time of the network, in seconds."""
        return self._kit.now()

    def advance(self, seconds: float) -> None:
        """Lets so much virtual time pass: timers fire, phones retransmit, parked handlers go on."""
        with self._world.watched():
            self._kit.advance(seconds)

    def settle(self) -> None:
        """Lets time pass until no message is under way and no handler has a question open. Timers that only wait for
        their time are left waiting. Every call that sends does this."""
        with self._world.watched():
            self._kit.settle(_PATIENCE)

    def run_until_idle(self, limit: float = 3600.0) -> None:
        """Lets time pass until every transaction has ended, `limit` seconds at most."""
        with self._world.watched():
            self._kit.run_until_idle(limit)

    # ---- sending ----------------------------------------------------------------------------------------------------

    def send_request(
        self,
        method: str = "INVITE",
        ruri: str = "sip:bob@example.com",
        *,
        is_local: bool = False,
        from_uri: str = "sip:alice@example.com",
        to_uri: str | None = None,
        from_tag: str | None = None,
        to_tag: str | None = None,
        call_id: str | None = None,
        cseq: int | None = None,
        max_forwards: int | None = 70,
        body: str | bytes | None = None,
        content_type: str | None = None,
        transport: Transport = "udp",
        source_ip: str = "127.0.0.1",
        source_port: int = 5080,
        user_agent: str | None = None,
        contact: str | None = None,
        headers: Headers | None = None,
        auth: tuple[str, str] | None = None,
    ) -> RequestResult:
        """Sends a request as a client would, and lets the network settle.

        With `is_local` the domain of `ruri` is one of the node's while this request is decided, beside those of the
        YAML. `max_forwards=None` leaves the header field out. `contact` defaults to the client's address where the
        method has one. `headers` is a mapping (a list is one field each) or pairs; a field given there replaces the one
        that would have been made. `auth` (user, password) answers one digest challenge; the result is then that of the
        second request. The client sends the ACK to a final response of an INVITE by itself.
        """
        self._kit.set_domains([*self._domains, *([_host_of(ruri)] if is_local else [])])
        self._serial += 1
        client = self._client(source_ip, source_port)
        made: list[tuple[str, str]] = [
            ("Via", f"SIP/2.0/{transport.upper()} {client};branch=z9hG4bK-test-{self._serial};rport"),
        ]
        if max_forwards is not None:
            made.append(("Max-Forwards", str(max_forwards)))
        made += [
            ("From", f"<{from_uri}>;tag={from_tag or f'from-{self._serial}'}"),
            ("To", f"<{to_uri or (from_uri if method == 'REGISTER' else ruri)}>" + (f";tag={to_tag}" if to_tag else "")),
            ("Call-ID", call_id or f"test-{self._serial}@{source_ip}"),
            ("CSeq", f"{self._serial if cseq is None else cseq} {method}"),
        ]
        if contact is None and method in ("REGISTER", "INVITE", "SUBSCRIBE", "REFER", "UPDATE", "NOTIFY"):
            contact = f"sip:{_user_of(from_uri)}{client}" + (";transport=tcp" if transport == "tcp" else "")
        if contact:
            made.append(("Contact", contact if contact == "*" else f"<{contact}>"))
        if user_agent is not None:
            made.append(("User-Agent", user_agent))
        if body is not None:
            made.append(("Content-Type", content_type or "application/sdp"))
        given = pairs(headers)
        replaced = {canonical(name) for name, _ in given}
        fields = [(name, value) for name, value in made if canonical(name) not in replaced] + given
        result = self._request(assemble(f"{method} {ruri} SIP/2.0", fields, octets(body)), transport, source_ip, source_port)
        challenged = result.final
        if auth is not None and challenged is not None and challenged.status_code in (401, 407):
            answer = _digest.answer(challenged, method, ruri, octets(body), *auth)
            number = result.request.cseq[0] + 1
            again = [(n, v) for n, v in fields if canonical(n) not in ("via", "cseq")]
            self._serial += 1
            via = f"SIP/2.0/{transport.upper()} {client};branch=z9hG4bK-test-{self._serial};rport"
            fields = [("Via", via), *again, ("CSeq", f"{number} {method}"), *answer]
            result = self._request(
                assemble(f"{method} {ruri} SIP/2.0", fields, octets(body)), transport, source_ip, source_port
            )
        self._last = result
        return result

    def _request(self, raw: bytes, transport: Transport, ip: str, port: int) -> RequestResult:
        # The kit is in no local: what a traceback holds would be collected on whichever thread collects.
        first, decision = self._kit.wire_len(), self._kit.decision_count()
        self._kit.send(transport, (ip, port), self._listener(transport), raw, True)
        self.settle()
        request = Message(raw, transport=transport, source=f"{ip}:{port}")
        for message in self.messages_from(first):
            if message.raw == raw:
                request = message
                break
        return RequestResult(self, request, first, decision, self._client(ip, port))

    def send_invite(
        self,
        ruri: str = "sip:bob@example.com",
        *,
        from_uri: str = "sip:alice@example.com",
        body: str | bytes | None = None,
        content_type: str | None = None,
        transport: Transport = "udp",
        source_ip: str = "127.0.0.1",
        source_port: int = 5080,
        headers: Headers | None = None,
        auth: tuple[str, str] | None = None,
    ) -> CallResult:
        """Sends an INVITE to a node that makes calls, as a phone would, and lets the network settle. The arguments are
        those of `send_request`; the result knows the legs that were dialled."""
        sent = self.send_request(
            "INVITE", ruri, from_uri=from_uri, body=body, content_type=content_type, transport=transport,
            source_ip=source_ip, source_port=source_port, headers=headers, auth=auth,
        )  # fmt: skip
        return CallResult._of(sent)

    def send_cancel(
        self, request: RequestResult | None = None, *, headers: Headers | None = None
    ) -> RequestResult:
        """Cancels an INVITE that was sent with `send_request`, the last one unless another is given; what became of the
        CANCEL. The INVITE's own result shows its 487."""
        invite = self._chosen(request).request
        fields = [(name, value) for name, value in invite.fields if canonical(name) in _CANCEL_KEEPS]
        fields = [("CSeq", f"{invite.cseq[0]} CANCEL") if canonical(n) == "cseq" else (n, v) for n, v in fields]
        ip, port = _socket(invite.source)
        raw = assemble(f"CANCEL {invite.uri} SIP/2.0", [*fields, *pairs(headers)], b"")
        return self._request(raw, "tcp" if invite.transport == "tcp" else "udp", ip, port)

    def send_reply(
        self,
        request: RequestResult | Message | None = None,
        status_code: int = 200,
        reason: str | None = None,
        *,
        target: str | None = None,
        to_tag: str = "callee",
        body: str | bytes | None = None,
        content_type: str | None = None,
        headers: Headers | None = None,
    ) -> ReplyResult:
        """Answers a relayed request as the next hop would, and lets the network settle.

        `request` is the result of `send_request` (default the last), or the very message that left the node. With
        several branches the newest is answered, or the one whose Request-URI is `target`.
        """
        if isinstance(request, Message):
            relayed = request
        else:
            branches = self._chosen(request).relayed
            fitting = [m for m in branches if target is None or m.uri == target]
            if not fitting:
                tried = ", ".join(m.uri or "" for m in branches) or "nowhere"
                raise LookupError(f"no branch to answer{f' for {target}' if target else ''}: it was relayed to {tried}")
            relayed = fitting[-1]
        fields = pairs(headers)
        if body is not None:
            fields.append(("Content-Type", content_type or "application/sdp"))
        raw = reply_to(relayed, status_code, reason, to_tag, fields, octets(body))
        first = self._kit.wire_len()
        self._kit.send(relayed.transport, _socket(relayed.destination), _socket(relayed.source), raw, False)
        self.settle()
        reply = next((m for m in self.messages_from(first) if m.raw == raw), Message(raw))
        return ReplyResult(self, reply, first)

    def raw(
        self,
        message: bytes | str,
        *,
        transport: Transport = "udp",
        source_ip: str = "127.0.0.1",
        source_port: int = 5080,
    ) -> list[Message]:
        """Sends octets as they are; everything that left the node since. Bare line feeds of a text become CRLF."""
        if isinstance(message, str):
            message = message.lstrip("\n").replace("\r\n", "\n").replace("\n", "\r\n").encode()
        self._client(source_ip, source_port)
        first = self._kit.wire_len()
        self._kit.send(transport, (source_ip, source_port), self._listener(transport), message, False)
        self.settle()
        return self.sent_from(first)

    def disconnect(self, *, source_ip: str = "127.0.0.1", source_port: int = 5080) -> None:
        """Breaks the TCP connections of a client, or of a next hop, to the node."""
        self._kit.disconnect_as(source_ip, source_port)
        self.settle()

    # ---- user agents ------------------------------------------------------------------------------------------------

    def ua(
        self,
        name: str,
        password: str | None = None,
        *,
        domain: str | None = None,
        login: str | None = None,
        transport: Transport = "udp",
        address: str | None = None,
    ) -> UserAgent:
        """A phone: it registers, answers challenges, retransmits, acknowledges, and is told when to answer.

        The same name gives the same phone again. Its address of record is `sip:LOGIN@DOMAIN`, `login` being the name
        unless given, and `domain` the first of the YAML; a domain that is not in the YAML becomes one of the node's.
        `password` defaults to the one of the YAML; where the test gave no YAML, or that has no such user, the node learns
        the one given here. `address` is an IP address with a port; default one of its own.
        """
        if name in self._agents:
            return self._agents[name]
        kit = self._kit
        if domain is None:
            domain = next(iter(kit.domains()), "example.com")
        login = login or name
        if not kit.is_local(f"sip:{domain}"):
            self._domains.append(domain)
            kit.set_domains(self._domains)
        known = kit.password(login)
        if password is not None and (known is None or self._yaml.text is None):
            kit.add_account(login, password)
        secret = password if password is not None else known or ""
        place = None if address is None else _socket(address)
        host = kit.phone(name, login, domain, secret, transport, place, self._listener(transport))
        agent = UserAgent(self, kit, host, name, login, domain)
        self._agents[name] = agent
        return agent

    # ---- the world --------------------------------------------------------------------------------------------------

    def conditions(
        self,
        *,
        loss: float = 0.0,
        duplicates: float = 0.0,
        reordered: float = 0.0,
        delay: float | tuple[float, float] = (0.001, 0.003),
        resets: float = 0.0,
        refused: float = 0.0,
    ) -> None:
        """What the network does from now on. Shares go from 0 to 1: of datagrams that are lost (the same one at most
        twice), doubled, overtaken; of writes after which a connection breaks; of connections that are refused. `delay`
        is how long a transfer takes, in seconds, or the least and the most. What happens follows from the seed."""
        span = delay if isinstance(delay, tuple) else (delay, delay)
        self._kit.conditions(loss, duplicates, reordered, span, resets, refused)

    @property
    def dns(self) -> Dns:
        """The DNS that the node asks."""
        self._kit  # noqa: B018
        assert self._dns is not None
        return self._dns

    @property
    def rtpengine(self) -> MediaEngines:
        """The pretended media engines of the YAML's `media`."""
        return MediaEngines(self._kit)

    # ---- looking ----------------------------------------------------------------------------------------------------

    @property
    def messages(self) -> list[Message]:
        """Everything that was on the wire, in the order it was sent."""
        return self.messages_from(0)

    @property
    def sent(self) -> list[Message]:
        """Everything that left the node."""
        return self.sent_from(0)

    def messages_from(self, first: int) -> list[Message]:
        """Everything since the wire had `first` entries."""
        kit = self._kit
        for at, what, transport, source, destination, sender, receiver, raw in kit.wire(self._read):
            if what != "note":
                self._entries.append(self._read)
                self._messages.append(
                    Message(
                        raw,
                        at=at,
                        transport=transport,
                        source=source,
                        destination=destination,
                        sender=sender,
                        receiver=receiver,
                        lost=what == "lost",
                    )
                )
            self._read += 1
        return self._messages[bisect.bisect_left(self._entries, first) :]

    def sent_from(self, first: int) -> list[Message]:
        """Everything that left the node since the wire had `first` entries."""
        sockets = {f"{_bracketed(ip)}:{port}" for _, ip, port in self._kit.sockets()}
        return [m for m in self.messages_from(first) if m.source in sockets or m.sender.startswith("siphon-")]

    @property
    def log(self) -> Log:
        """The node's log."""
        self._kit  # noqa: B018
        assert self._log is not None
        return self._log

    @property
    def metrics(self) -> Metrics:
        """The node's metrics and those of the script."""
        return Metrics(self._kit)

    @property
    def decisions(self) -> list[Decision]:
        """What policy decided, oldest first."""
        return self.decisions_from(0)

    def decisions_from(self, first: int) -> list[Decision]:
        """What policy decided from decision `first` on."""
        return [Decision(*decided) for decided in self._kit.decisions(first)]

    @property
    def registrar(self) -> Registrar:
        """The node's bindings."""
        return Registrar(self._kit)

    def bindings(self, aor: str) -> list[Binding]:
        """The contacts of an address of record, as the node holds them."""
        return self.registrar.lookup(aor)

    def ladder(self, *call_ids: str) -> str:
        """The messages of some calls, of all when none is named, as a ladder."""
        return self._kit.ladder(list(call_ids), 1)

    def position(self) -> tuple[int, int]:
        """How far wire and log have come, for `since`."""
        return (1, 0) if self._engine is None else (self._engine.wire_len(), self._engine.line_count())

    def since(self, wire: int, log: int) -> tuple[str, str]:
        """Ladder and log since a `position`, each empty when nothing happened."""
        kit = self._engine
        if kit is None:
            return self._last_words
        ladder = kit.ladder([], wire) if kit.wire_len() > wire else ""
        lines = "\n".join(map(str, list(Log(kit))[log:]))
        return ladder, lines

    @property
    def open_transactions(self) -> int:
        """Transactions that the node holds, lingering ones included."""
        return self._kit.open_work()[0]

    @property
    def fingerprint(self) -> int:
        """A hash over everything that was on the wire, with its times: equal for equal seeds."""
        return self._kit.hash()

    def hop(self, message: Message) -> str:
        """Where a message went, as a URI; by name where the DNS led there."""
        ip, port = _socket(message.destination)
        host = self._kit.dns_name_of(ip) or _bracketed(ip)
        return f"sip:{host}:{port}" + (";transport=tcp" if message.transport == "tcp" else "")

    def __repr__(self) -> str:
        script = "the role's own script" if self._script is None else self._script.file or (self._script.inline or ("",))[0]
        state = "not started" if self._engine is None else f"{len(self.messages)} messages"
        return f"<harness of {script}, seed {self._seed}: {state}>"

    # ---- details ----------------------------------------------------------------------------------------------------

    def _listener(self, transport: str) -> tuple[str, int]:
        sockets = self._kit.sockets()
        for over, ip, port in sockets:
            if over == transport:
                return ip, port
        raise ValueError(f"the node does not listen on {transport}: {sockets}")

    def _client(self, ip: str, port: int) -> str:
        text = f"{_bracketed(ip)}:{port}"
        if (ip, port) not in self._clients:
            if any((ip, port) == (own, at) for _, own, at in self._kit.sockets()):
                raise ValueError(f"{text} is the node's own address: choose another source_port")
            name = "client" if not self._clients else f"client {text}"
            self._kit.name(ip, port, name)
            self._clients[ip, port] = name
        return text

    def _chosen(self, request: RequestResult | None) -> RequestResult:
        chosen = request or self._last
        if chosen is None:
            raise LookupError("no request was sent yet")
        return chosen


_CANCEL_KEEPS = ("via", "max-forwards", "from", "to", "call-id", "cseq", "route")


def _script_at(path: str | os.PathLike[str]) -> Script:
    return Script(path=Path(path).absolute())


def _host_of(uri: str) -> str:
    rest = uri.partition(":")[2].partition(";")[0].partition("?")[0]
    return rest.rpartition("@")[2]


def _user_of(uri: str) -> str:
    user, at, _ = uri.partition(":")[2].partition("@")
    return user + at if at else ""


def _bracketed(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


def _socket(text: str) -> tuple[str, int]:
    ip, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535 or (":" in ip and not ip.endswith("]")):
        raise ValueError(f"{text!r} is no address with a port: write 192.0.2.1:5060 or [2001:db8::1]:5060")
    return ip.strip("[]"), int(port)
