"""The messages that a test sends without a user agent (RFC 3261 8.1.1, 8.2.6)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import cast

from .message import Message, canonical, parameter, split_list

# A line end behind which no folded line goes on.
_NEXT_LINE = re.compile(r"\r(?!\n)|(?<!\r)\n|\r\n(?![ \t])")

Headers = Mapping[str, str | Iterable[str]] | Iterable[tuple[str, str]]

REASONS = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    500: "Server Internal Error",
    503: "Service Unavailable",
    600: "Busy Everywhere",
    603: "Decline",
}


def pairs(headers: Headers | None) -> list[tuple[str, str]]:
    """Header fields given as a mapping (a list is one field each) or as pairs."""
    if headers is None:
        return []
    found: list[tuple[str, str]] = []
    if isinstance(headers, Mapping):
        named = cast("Mapping[str, str | Iterable[str]]", headers)
        for name, value in named.items():
            found.extend((name, each) for each in ([value] if isinstance(value, str) else value))
    else:
        found.extend(headers)
    for name, value in found:
        # Further lines of a folded value begin with white space (RFC 3261 7.3.1).
        if any(c in name for c in "\r\n:") or not name.strip() or _NEXT_LINE.search(value):
            raise ValueError(f"a header field is one line, and this is more: {name!r}: {value!r}")
    return found


def lines(headers: Headers | None) -> str:
    """Header fields as lines with their line ends."""
    return "".join(f"{name}: {value}\r\n" for name, value in pairs(headers))


def octets(body: str | bytes | None) -> bytes:
    """A body as octets."""
    return b"" if body is None else body.encode() if isinstance(body, str) else body


def assemble(start: str, fields: list[tuple[str, str]], body: bytes) -> bytes:
    """A message with its Content-Length, unless the fields bring one."""
    if not any(canonical(name) == "content-length" for name, _ in fields):
        fields = [*fields, ("Content-Length", str(len(body)))]
    head = "\r\n".join([start, *(f"{name}: {value}" for name, value in fields)])
    return head.encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def reply_to(
    request: Message,
    code: int,
    reason: str | None,
    to_tag: str,
    headers: Headers | None,
    body: bytes,
) -> bytes:
    """The response that the next hop sends to `request`."""
    host, _, port = request.source.rpartition(":")
    fields: list[tuple[str, str]] = []
    for number, value in enumerate(part for field in request.headers("Via") for part in split_list(field)):
        if number == 0 and parameter(value, "rport") == "":
            value = value.replace(";rport", f";rport={port}", 1) + f";received={host.strip('[]')}"
        fields.append(("Via", value))
    to = request.header("To") or ""
    if request.to_tag is None and code > 100:
        to += f";tag={to_tag}"
    fields += [("From", request.header("From") or ""), ("To", to), ("Call-ID", request.call_id)]
    fields.append(("CSeq", request.header("CSeq") or ""))
    given = pairs(headers)
    if 100 < code < 300:
        fields += [("Record-Route", value) for value in request.headers("Record-Route")]
        if request.method == "INVITE" and not any(canonical(name) == "contact" for name, _ in given):
            fields.append(("Contact", f"<sip:{request.destination}>"))
    if reason is None:
        reason = REASONS.get(code, "Response")
    return assemble(f"SIP/2.0 {code} {reason}", [*fields, *given], body)
