"""What a harness shows besides messages: log lines, metrics, bindings, decisions."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ._engine import Kit

Level: TypeAlias = Literal["debug", "info", "warning", "error"]

_LEVELS: dict[str, Level] = {
    "TRACE": "debug",
    "DEBUG": "debug",
    "INFO": "info",
    "WARN": "warning",
    "ERROR": "error",
}


@dataclass(frozen=True)
class LogLine:
    """One entry of the node's log."""

    level: Level
    """`debug`, `info`, `warning` or `error`."""
    text: str
    """What was said; of a failed handler the traceback."""
    target: str
    """Who said it: `script`, or a part of the engine."""
    call_id: str | None
    """The Call-ID of the message it is about."""
    fields: dict[str, str] = field(default_factory=dict)
    """Named values; `line` is file and line of the script."""

    def __str__(self) -> str:
        named = "".join(f" {name}={value}" for name, value in self.fields.items())
        return f"{self.level}: {self.text}{named}"


class Log:
    """The node's log, oldest first. `"text" in harness.log` looks into every line."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._read: list[LogLine] = []
        self._forgotten = 0

    def _all(self) -> list[LogLine]:
        for line in self._kit.lines(len(self._read)):
            entry: dict[str, str] = json.loads(line)
            level, target = _LEVELS[entry.pop("level")], entry.pop("target")
            text, call_id = entry.pop("msg"), entry.pop("call_id", None)
            entry.pop("ts")
            self._read.append(LogLine(level, text, target, call_id, entry))
        return self._read[self._forgotten :]

    def __iter__(self) -> Iterator[LogLine]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __getitem__(self, index: int) -> LogLine:
        return self._all()[index]

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and any(text in str(line) for line in self._all())

    def at_level(self, level: Level) -> list[LogLine]:
        """The lines of one level."""
        return [line for line in self._all() if line.level == level]

    @property
    def errors(self) -> list[LogLine]:
        """The lines of level error: failed handlers above all."""
        return self.at_level("error")

    @property
    def text(self) -> str:
        """All lines as text."""
        return "\n".join(map(str, self._all()))

    def clear(self) -> None:
        """Forgets what was logged so far."""
        self._forgotten += len(self._all())

    def __repr__(self) -> str:
        return f"<log, {len(self)} lines>"


_SAMPLE = re.compile(r"^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """The node's metrics and those of its script, as Prometheus would read them."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    @property
    def text(self) -> str:
        """The page in Prometheus's text format."""
        return self._kit.metrics()

    def samples(self, name: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Every sample of one series by its labels, sorted by name."""
        found: dict[tuple[tuple[str, str], ...], float] = {}
        for line in self.text.splitlines():
            match = _SAMPLE.match(line)
            if match and match[1] == name:
                labels = tuple(sorted((str(k), str(v)) for k, v in _LABEL.findall(match[2] or "")))
                found[labels] = float(match[3])
        return found

    def value(self, name: str, **labels: str) -> float:
        """The sum of the samples of a series that bear these labels; 0.0 when there are none. KeyError for a name that is
        nearly that of a series, or begins with `siphon_` and is none of the node's."""
        samples, wanted = self.samples(name), set(labels.items())
        if not samples and name not in (series := self.names):
            # A metric of the script's with labels is not on the page before it has counted something.
            near = difflib.get_close_matches(name, series, 3, 0.85)
            if near or name.startswith("siphon_"):
                raise KeyError(f"no metric {name}" + (f"; there is {', '.join(near)}" if near else ""))
        return sum(value for have, value in samples.items() if wanted <= set(have))

    @property
    def names(self) -> list[str]:
        """The names of all series, those that have no sample yet included."""
        lines = self.text.splitlines()
        declared = [words[2] for line in lines if len(words := line.split(" ")) > 3 and words[1] == "TYPE"]
        sampled = [match[1] for line in lines if (match := _SAMPLE.match(line))]
        parts = [f"{words[2]}_{part}" for line in lines if len(words := line.split(" ")) > 3
                 and words[1] == "TYPE" and words[3] == "histogram" for part in ("bucket", "count", "sum")]
        return sorted({*declared, *parts, *sampled})

    def __getitem__(self, name: str) -> float:
        return self.value(name)

    def __repr__(self) -> str:
        return f"<metrics, {len(self.names)} series>"


@dataclass(frozen=True)
class Binding:
    """A contact of an address of record."""

    uri: str
    """Contact URI, as the phone wrote it or as NAT repair left it."""
    q: float
    """Preference, 0 to 1."""
    expires: int
    """Seconds until it lapses."""
    received: str | None
    """Where the REGISTER came from, when that is not what the URI says."""
    path: list[str]
    """Path values (RFC 3327)."""


class Registrar:
    """The node's bindings, as a test looks at them and puts them there."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    def lookup(self, uri: str) -> list[Binding]:
        """The contacts of an address of record, the preferred first."""
        return [Binding(*binding) for binding in self._kit.bindings(uri)]

    def is_registered(self, uri: str) -> bool:
        """Whether an address of record has a contact."""
        return bool(self.lookup(uri))

    def add(self, uri: str, contact: str, *, q: float = 1.0, expires: int = 3600) -> None:
        """Enters a contact, without asking the script. ValueError says what the registrar would have answered."""
        self._kit.bind(uri, contact, q, expires)
        self._kit.settle(0.0)

    def remove(self, uri: str) -> int:
        """Removes the contacts of an address of record; how many there were."""
        removed = self._kit.unbind(uri)
        self._kit.settle(0.0)
        return removed

    def aor_count(self) -> int:
        """How many addresses of record have a contact."""
        return self._kit.aor_count()

    def __repr__(self) -> str:
        return f"<registrar, {self.aor_count()} addresses of record>"


@dataclass(frozen=True)
class Decision:
    """What policy decided about a request."""

    at: float
    """Seconds of virtual time."""
    call_id: str
    """The request's Call-ID."""
    method: str
    """The request's method; `OTHER` for one that the engine does not know."""
    what: str
    """`reply 404`, `relay`, `fork 2`, `drop`, `failed`, `role procedure`."""
    script_line: str | None
    """File and line of the script; None when no script decided."""


class Dns:
    """The DNS that the node asks. What is not entered exists all the same: every name gets an address of its own."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._addresses: dict[str, list[str]] = {}
        kit.dns_answer_all(True)

    def add(self, name: str, *addresses: str) -> None:
        """Enters A or AAAA records, for the node and for what a script looks up itself."""
        self._addresses.setdefault(name.lower(), []).extend(addresses)
        for address in addresses:
            self._kit.dns_address(name, address)

    def srv(self, name: str, target: str, port: int = 5060, *, priority: int = 10, weight: int = 10) -> None:
        """Enters an SRV record such as `_sip._udp.example.com` (RFC 2782)."""
        self._kit.dns_srv(name, priority, weight, port, target)

    def naptr(self, domain: str, service: str, replacement: str, *, order: int = 10) -> None:
        """Enters a NAPTR record with flag `s`, for `SIP+D2U` say (RFC 3263 4.1)."""
        self._kit.dns_naptr(domain, order, service, replacement)

    def addresses(self, name: str) -> list[str]:
        """The addresses that were entered for `name`."""
        return list(self._addresses.get(name.lower(), ()))

    def fail(self, name: str) -> None:
        """Every lookup of `name` fails from now on."""
        self._kit.dns_fail(name)

    def silence(self, name: str) -> None:
        """No lookup of `name` is answered from now on."""
        self._kit.dns_silence(name)

    def strict(self, strict: bool = True) -> None:
        """Names that are not entered do not exist."""
        self._kit.dns_answer_all(not strict)

    def __repr__(self) -> str:
        return f"<dns, {len(self._addresses)} names entered>"


@dataclass(frozen=True)
class MediaSession:
    """A call that a media engine has sessions for."""

    engine: str
    """The engine's address, as in the YAML."""
    call_id: str
    """Call-ID."""
    tags: list[str]
    """The tags of those who take part, in the order they were named."""
    ports: list[int]
    """The ports that the call holds at the engine."""
    exchanges: int
    """Offers and answers."""
    answered: bool
    """The offer was answered."""
    blocked: list[str]
    """Tags whose media are not passed on."""
    silenced: list[str]
    """Tags whose audio is replaced by silence."""
    recorded: bool
    """The call is recorded."""


@dataclass(frozen=True)
class MediaCommand:
    """A command that reached a media engine; one that was sent again is there once."""

    time: float
    """When, in seconds of Unix time."""
    engine: str
    """The engine's address."""
    verb: str
    """`offer`, `answer`, `delete`, `block media` and so on, as in the NG protocol."""
    call_id: str
    """Call-ID."""


class MediaEngines:
    """The pretended rtpengines of the YAML's `media`: they allocate ports, rewrite the SDP, and keep their calls.

    `engine` is the address of one; without it all are meant.
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    @property
    def engines(self) -> list[str]:
        """The addresses of the engines."""
        return self._kit.media_engines()

    @property
    def sessions(self) -> list[MediaSession]:
        """The calls that have media sessions now: none once all were deleted."""
        return [MediaSession(*session) for session in self._kit.media_sessions()]

    @property
    def commands(self) -> list[MediaCommand]:
        """What reached the engines, pings left out."""
        return [MediaCommand(*command) for command in self._kit.media_commands()]

    def dead(self, engine: str | None = None) -> None:
        """It dies: its host says that nobody listens there, and what it held is gone."""
        self._behave(engine, "dead")

    def deaf(self, engine: str | None = None) -> None:
        """It hears nothing, as behind a broken network."""
        self._behave(engine, "deaf")

    def slow(self, seconds: float, engine: str | None = None) -> None:
        """It answers so much later."""
        self._behave(engine, "slow", seconds)

    def full(self, engine: str | None = None) -> None:
        """It takes no new calls."""
        self._behave(engine, "full")

    def forget(self, engine: str | None = None) -> None:
        """It forgets its calls, as one that was started again in no time."""
        self._behave(engine, "forget")

    def revive(self, engine: str | None = None) -> None:
        """It is there and prompt again."""
        self._behave(engine, "prompt")

    def _behave(self, engine: str | None, manner: str, seconds: float = 0.0) -> None:
        for name in self.engines if engine is None else [engine]:
            self._kit.media_behave(name, manner, seconds)

    def __repr__(self) -> str:
        return f"<media engines {self.engines}, {len(self.sessions)} calls>"
