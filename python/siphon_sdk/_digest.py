"""The answer of a client to a digest challenge (RFC 7616, RFC 8760)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from .message import Message

_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+))')


def _hash(algorithm: str) -> Callable[[str], str] | None:
    names = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
    name = names.get(algorithm.upper())
    if name is None or name not in hashlib.algorithms_available:
        return None
    return lambda text: hashlib.new(name, text.encode()).hexdigest()


def answer(
    challenged: Message, method: str, uri: str, body: bytes, user: str, password: str
) -> list[tuple[str, str]]:
    """The header field that answers the topmost challenge we can, for each realm."""
    proxy = challenged.status_code == 407
    asked, answered = (
        ("Proxy-Authenticate", "Proxy-Authorization") if proxy else ("WWW-Authenticate", "Authorization")
    )
    fields: list[tuple[str, str]] = []
    realms: set[str] = set()
    for challenge in challenged.headers(asked):
        scheme, _, rest = challenge.partition(" ")
        given = {m[1].lower(): m[2] or m[3] or "" for m in _PARAMETER.finditer(rest)}
        algorithm, realm, nonce = given.get("algorithm", "MD5"), given.get("realm", ""), given.get("nonce", "")
        digest = _hash(algorithm)
        if scheme.lower() != "digest" or digest is None or realm in realms:
            continue
        realms.add(realm)
        parts = [f'username="{user}"', f'realm="{realm}"', f'nonce="{nonce}"', f'uri="{uri}"', f"algorithm={algorithm}"]
        ha1, ha2 = digest(f"{user}:{realm}:{password}"), digest(f"{method}:{uri}")
        if "auth" in [q.strip() for q in given.get("qop", "").split(",")]:
            response = digest(f"{ha1}:{nonce}:00000001:c0ffee:auth:{ha2}")
            parts += ["qop=auth", "nc=00000001", 'cnonce="c0ffee"']
        else:
            response = digest(f"{ha1}:{nonce}:{ha2}")
        if "opaque" in given:
            parts.append(f'opaque="{given["opaque"]}"')
        fields.append((answered, "Digest " + ", ".join([*parts, f'response="{response}"'])))
    return fields
