"""Captures for tests: messages put into UDP or TCP over IP, and written as PCAP (RFC 791, 8200, 768, 9293)."""

import socket
import struct
from pathlib import Path

Socket = tuple[str, int]

NODE: Socket = ("192.0.2.1", 5060)
ALICE: Socket = ("198.51.100.7", 5062)
BOB: Socket = ("198.51.100.8", 5062)


def request(
    method: str,
    uri: str,
    *,
    call_id: str = "c1",
    cseq: int = 1,
    branch: str | None = None,
    user: str = "alice",
    to: str | None = None,
    headers: str = "",
    via: Socket = ALICE,
    over: str = "UDP",
) -> bytes:
    """A request as a phone writes it; `headers` are further lines, each with its line feed."""
    text = f"""\
{method} {uri} SIP/2.0
Via: SIP/2.0/{over} {via[0]}:{via[1]};branch={branch or f"z9hG4bK-{call_id}-{cseq}-{method}"}
Max-Forwards: 70
From: <sip:{user}@example.com>;tag={user}
To: {to or f"<{uri}>"}
Call-ID: {call_id}
CSeq: {cseq} {method}
{headers}Content-Length: 0

"""
    return text.replace("\n", "\r\n").encode()


def answer(to: bytes, code: int, reason: str, tag: str = "b") -> bytes:
    """An answer to a request, as its next hop's next hop writes it: with that request's Via lines."""
    head = to.decode().split("\r\n\r\n")[0].split("\r\n")[1:]
    kept = [line for line in head if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
    kept = [f"{line};tag={tag}" if line.startswith("To:") and "tag=" not in line else line for line in kept]
    return "\r\n".join([f"SIP/2.0 {code} {reason}", *kept, "Content-Length: 0", "", ""]).encode()


class Recording:
    """Packets, as a sniffer on the node's host would have seen them."""

    def __init__(self) -> None:
        self.packets: list[tuple[float, bytes]] = []
        self.now = 0.0
        self._sequence: dict[tuple[Socket, Socket], int] = {}

    def wait(self, seconds: float) -> None:
        """Nothing happens for so long."""
        self.now += seconds

    def udp(self, octets: bytes, source: Socket = ALICE, destination: Socket = NODE) -> bytes:
        """A datagram."""
        head = struct.pack("!HHHH", source[1], destination[1], 8 + len(octets), 0)
        self._ip(17, source[0], destination[0], head + octets)
        return octets

    def tcp(self, octets: bytes, source: Socket = ALICE, destination: Socket = NODE) -> None:
        """A segment; the first between two sockets comes after a SYN."""
        ends = (source, destination)
        if ends not in self._sequence:
            self._segment(ends, 0, 2, b"")
            self._sequence[ends] = 1
        self._segment(ends, self._sequence[ends], 0x18, octets)
        self._sequence[ends] += len(octets)

    def _segment(self, ends: tuple[Socket, Socket], sequence: int, flags: int, octets: bytes) -> None:
        (source, source_port), (destination, port) = ends
        head = struct.pack("!HHIIBBHHH", source_port, port, sequence, 0, 5 << 4, flags, 65535, 0, 0)
        self._ip(6, source, destination, head + octets)

    def _ip(self, protocol: int, source: str, destination: str, payload: bytes) -> None:
        if ":" in source:
            ends = b"".join(socket.inet_pton(socket.AF_INET6, ip) for ip in (source, destination))
            head = struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + ends
            self.packets.append((self.now, head + payload))
            self.now += 0.001
            return
        ends = socket.inet_aton(source) + socket.inet_aton(destination)
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0) + ends
        self.packets.append((self.now, head + payload))
        self.now += 0.001

    def octets(self) -> bytes:
        """The file."""
        # Link type 101: IP without anything below it.
        file = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)
        for at, packet in self.packets:
            micros = round((1_700_000_000 + at) * 1e6)
            seconds, fraction = divmod(micros, 1_000_000)
            file += struct.pack("<IIII", seconds, fraction, len(packet), len(packet)) + packet
        return file

    def write(self, path: Path) -> Path:
        """Writes the file."""
        path.write_bytes(self.octets())
        return path
