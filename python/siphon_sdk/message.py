"""One SIP message as a test sees it: read line by line, by a reader of its own (RFC 3261 7).

Nothing here comes from the engine, so that a fault of its parser cannot hide in the test that looks for it.
"""

from __future__ import annotations

from collections.abc import Iterator

_COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
}


def canonical(name: str) -> str:
    """The header name by which two spellings are compared: long form, lower case."""
    lower = name.strip().lower()
    return _COMPACT.get(lower, lower)


def split_list(value: str) -> list[str]:
    """The parts of a comma-separated header value; commas in quotes and angle brackets do not count."""
    parts: list[str] = []
    start, quoted, angle, skip = 0, False, False, False
    for at, character in enumerate(value):
        if skip:
            skip = False
        elif quoted and character == "\\":
            skip = True
        elif character == '"' and not angle:
            quoted = not quoted
        elif character == "<" and not quoted:
            angle = True
        elif character == ">" and not quoted:
            angle = False
        elif character == "," and not quoted and not angle:
            parts.append(value[start:at].strip())
            start = at + 1
    parts.append(value[start:].strip())
    return [part for part in parts if part]


def parameter(value: str, name: str) -> str | None:
    """A parameter behind the address of a header value; empty text for one without a value, None when it is not there."""
    rest = value.rpartition(">")[2] if ">" in value else value
    for piece in rest.split(";")[1:]:
        key, _, text = piece.partition("=")
        if key.strip().lower() == name.lower():
            return text.strip().strip('"')
    return None


def address(value: str) -> str:
    """The URI of a name-addr or addr-spec (RFC 3261 20.10)."""
    if "<" in value:
        return value.split("<", 1)[1].split(">", 1)[0]
    return value.split(";", 1)[0].strip()


class Message:
    """A request or response that was on the wire. Header names are found in any case and in their compact form."""

    def __init__(
        self,
        raw: bytes,
        *,
        at: float = 0.0,
        transport: str = "udp",
        source: str = "",
        destination: str = "",
        sender: str = "",
        receiver: str = "",
        lost: bool = False,
    ) -> None:
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        self.raw: bytes = raw
        """The octets."""
        self.at: float = at
        """Seconds of virtual time since the harness began."""
        self.transport: str = transport
        """`udp` or `tcp`."""
        self.source: str = source
        """Address and port it was sent from."""
        self.destination: str = destination
        """Address and port it was sent to."""
        self.sender: str = sender
        """Name of the sender in ladders, else its address."""
        self.receiver: str = receiver
        """Name of the receiver in ladders, else its address."""
        self.lost: bool = lost
        """Whether the wire lost it."""
        self.start_line: str = lines[0]
        """Request line or status line."""
        self.fields: list[tuple[str, str]] = []
        """Header names and values in the order of the message, folded lines joined."""
        for line in lines[1:]:
            if line[:1] in (" ", "\t") and self.fields:
                name, value = self.fields[-1]
                self.fields[-1] = (name, f"{value} {line.strip()}")
            elif ":" in line:
                name, _, value = line.partition(":")
                self.fields.append((name.strip(), value.strip()))

    # ---- the first line ---------------------------------------------------------------------------------------------

    @property
    def is_request(self) -> bool:
        """Whether it is a request."""
        return not self.start_line.startswith("SIP/2.0 ")

    @property
    def is_response(self) -> bool:
        """Whether it is a response."""
        return not self.is_request

    @property
    def method(self) -> str:
        """The method; of a response that of its CSeq."""
        return self.start_line.split(" ", 1)[0] if self.is_request else self.cseq[1]

    @property
    def uri(self) -> str | None:
        """The Request-URI; None for a response."""
        words = self.start_line.split(" ")
        return words[1] if self.is_request and len(words) > 1 else None

    @property
    def status_code(self) -> int | None:
        """The status code; None for a request."""
        words = self.start_line.split(" ")
        return int(words[1]) if self.is_response and len(words) > 1 and words[1].isdigit() else None

    @property
    def reason(self) -> str | None:
        """The reason phrase; None for a request."""
        words = self.start_line.split(" ", 2)
        return (words[2] if len(words) > 2 else "") if self.is_response else None

    # ---- header fields ----------------------------------------------------------------------------------------------

    def header(self, name: str) -> str | None:
        """The first header field of that name as it stands; None when there is none."""
        wanted = canonical(name)
        return next((value for key, value in self.fields if canonical(key) == wanted), None)

    def headers(self, name: str) -> list[str]:
        """Every header field of that name as it stands."""
        wanted = canonical(name)
        return [value for key, value in self.fields if canonical(key) == wanted]

    def values(self, name: str) -> list[str]:
        """The values of all header fields of that name, comma-separated lists taken apart."""
        return [part for value in self.headers(name) for part in split_list(value)]

    def __getitem__(self, name: str) -> str:
        value = self.header(name)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.header(name) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.fields)

    @property
    def call_id(self) -> str:
        """Call-ID."""
        return self.header("Call-ID") or ""

    @property
    def cseq(self) -> tuple[int, str]:
        """Number and method of CSeq."""
        words = (self.header("CSeq") or "").split()
        number = int(words[0]) if words and words[0].isdigit() else 0
        return number, words[1] if len(words) > 1 else ""

    @property
    def branch(self) -> str:
        """The branch of the topmost Via."""
        values = self.values("Via")
        return (parameter(values[0], "branch") or "") if values else ""

    @property
    def from_tag(self) -> str | None:
        """The tag of From."""
        return parameter(self.header("From") or "", "tag")

    @property
    def to_tag(self) -> str | None:
        """The tag of To; None when there is none yet."""
        return parameter(self.header("To") or "", "tag")

    @property
    def contact(self) -> str | None:
        """The URI of the first Contact."""
        values = self.values("Contact")
        return address(values[0]) if values else None

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    # ---- showing and comparing --------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, Message) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    def __str__(self) -> str:
        return self.raw.decode("utf-8", "replace").replace("\r\n", "\n")

    def __repr__(self) -> str:
        return f"<{self.start_line} at {self.at:.3f} s, {self.sender} to {self.receiver}>"


def differences(left: Message, right: Message) -> list[str]:
    """The lines in which two messages differ, for a failed comparison: `-` only left, `+` only right, `>` marks them.
    Behind them how many header fields are equal."""
    out: list[str] = []
    equal = 0
    if left.start_line != right.start_line:
        out += [f"> - {left.start_line}", f"> + {right.start_line}"]
    names = list(dict.fromkeys(canonical(name) for name, _ in [*left.fields, *right.fields]))
    shown = {canonical(name): name for name, _ in [*right.fields, *left.fields]}
    for name in names:
        ours, theirs = left.headers(name), right.headers(name)
        if ours != theirs:
            out += [f"> - {shown[name]}: {value}" for value in ours if value not in theirs]
            out += [f"> + {shown[name]}: {value}" for value in theirs if value not in ours]
            if sorted(ours) == sorted(theirs):
                out += [f"> - {shown[name]}: {', '.join(ours)}", f"> + {shown[name]}: {', '.join(theirs)}"]
        else:
            equal += len(ours)
    if left.body != right.body:
        out += [f"> - body: {left.body!r}", f"> + body: {right.body!r}"]
    out.append(f"    {equal} header field{'' if equal == 1 else 's'} equal")
    return out
