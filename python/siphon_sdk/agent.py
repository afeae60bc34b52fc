"""User agents under a test's control, and their calls (RFC 3261 8, 9, 10, 12 to 15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._writing import Headers, lines
from .message import Message

if TYPE_CHECKING:
    from ._engine import Kit
    from .harness import SipTestHarness


class Call:
    """A call at one of its user agents. Both ends have a `Call` of their own with the same `id`."""

    def __init__(self, agent: UserAgent, call_id: str) -> None:
        self._agent = agent
        self.id: str = call_id
        """The Call-ID."""

    @property
    def ua(self) -> UserAgent:
        """Whose end it is."""
        return self._agent

    @property
    def state(self) -> str:
        """`calling`, `incoming`, `proceeding` (there was a provisional response), `confirmed`, `ended`, or `failed`
        (with `status_code`)."""
        found = self._agent._kit.call_state(self._agent._host, self.id)
        if found is None:
            return "failed"
        # A plain text: a type checker takes a literal for lasting, and would refuse the next comparison.
        return found[0]

    @property
    def status_code(self) -> int | None:
        """Code of the last response to its INVITE, sent or received; None when there is none yet."""
        responses = (m for m in reversed(self.messages) if m.is_response and m.method == "INVITE")
        last = next(responses, None)
        return None if last is None else last.status_code

    @property
    def messages(self) -> list[Message]:
        """What its user agent sent and received in it."""
        return [m for m in self._agent.messages if m.call_id == self.id]

    @property
    def invite(self) -> Message:
        """The INVITE that began it, the newest copy that this end sent or received."""
        begins = [m for m in self.messages if m.is_request and m.method == "INVITE" and m.to_tag is None]
        if not begins:
            raise LookupError(f"no INVITE of {self.id} reached {self._agent.name}")
        return begins[-1]

    def ring(self, code: int = 180, *, headers: Headers | None = None, body: str = "") -> Call:
        """Sends a provisional response."""
        return self._respond(code, headers, body)

    def answer(self, code: int = 200, *, headers: Headers | None = None, body: str = "") -> Call:
        """Answers it."""
        return self._respond(code, headers, body)

    def reject(self, code: int = 486, *, headers: Headers | None = None, body: str = "") -> Call:
        """Refuses it, or redirects it with a 3xx and a Contact among `headers`."""
        return self._respond(code, headers, body)

    def _respond(self, code: int, headers: Headers | None, body: str) -> Call:
        self._agent._kit.respond(self._agent._host, self.id, code, lines(headers), body)
        self._agent._harness.settle()
        return self

    def cancel(self) -> Call:
        """Gives up. The CANCEL leaves when a provisional response has come (RFC 3261 9.1), which is waited for."""
        harness = self._agent._harness
        self._agent._kit.cancel(self._agent._host, self.id)
        harness.settle()
        for _ in range(40):
            if self.state not in ("calling", "proceeding") or any(m.method == "CANCEL" for m in self.messages):
                break
            harness.advance(0.05)
            harness.settle()
        return self

    def bye(self) -> Call:
        """Hangs up."""
        self._agent._kit.hang_up(self._agent._host, self.id)
        self._agent._harness.settle()
        return self

    def reinvite(self, *, headers: Headers | None = None, body: str = "") -> Call:
        """Sends a re-INVITE; the other end answers it by itself."""
        return self.request("INVITE", headers=headers, body=body)

    def request(self, method: str, *, headers: Headers | None = None, body: str = "") -> Call:
        """Sends a request inside the call: INFO, UPDATE, MESSAGE."""
        self._agent._kit.in_dialog(self._agent._host, self.id, method, lines(headers), body)
        self._agent._harness.settle()
        return self

    @property
    def ladder(self) -> str:
        """Its messages as a ladder."""
        return self._agent._harness.ladder(self.id)

    def __repr__(self) -> str:
        return f"<call {self.id} of {self._agent.name}: {self.state}>"


class UserAgent:
    """A phone. Requests outside calls it answers 200 by itself; calls wait for `ring`, `answer` or `reject`."""

    def __init__(self, harness: SipTestHarness, kit: Kit, host: int, name: str, login: str, domain: str) -> None:
        self._harness, self._kit, self._host = harness, kit, host
        self.name: str = name
        """Its name in ladders, and the user part of its contact."""
        self.aor: str = f"sip:{login}@{domain}"
        """Its address of record."""
        self.domain: str = domain
        """The domain of its address of record."""

    @property
    def contact(self) -> str:
        """Its contact URI."""
        return self._kit.phone_at(self._host)[0]

    # ---- registering ------------------------------------------------------------------------------------------------

    def register(self, expires: int = 3600) -> Message | None:
        """Registers its contact for so many seconds, answering a challenge; the final response."""
        first = self._kit.wire_len()
        self._kit.register(self._host, expires)
        self._harness.settle()
        return self._last_final("REGISTER", first)

    def unregister(self) -> Message | None:
        """Removes its contact; the final response."""
        return self.register(0)

    @property
    def is_registered(self) -> bool:
        """Whether the node has a binding for its contact."""
        return any(b.uri.startswith(self.contact) for b in self._harness.bindings(self.aor))

    # ---- calling ----------------------------------------------------------------------------------------------------

    def invite(self, to: str | UserAgent, *, headers: Headers | None = None, body: str = "") -> Call:
        """Calls somebody: a URI, another user agent, or a user of its own domain. A challenge is answered."""
        call_id = self._kit.call(self._host, self._uri(to), lines(headers), body)
        self._harness.settle()
        return Call(self, call_id)

    @property
    def calls(self) -> list[Call]:
        """Its calls, made and received, oldest first."""
        ids = [m.call_id for m in self.messages if m.is_request and m.method == "INVITE" and m.to_tag is None]
        return [Call(self, call_id) for call_id in dict.fromkeys(ids) if self._kit.call_state(self._host, call_id)]

    @property
    def incoming(self) -> list[Call]:
        """Calls that wait for its answer."""
        return [c for c in self.calls if c.state in ("incoming", "proceeding") and c.invite.receiver == self.name]

    def ring(self, code: int = 180, *, headers: Headers | None = None, body: str = "") -> Call:
        """Sends a provisional response to the newest call that waits."""
        return self._waiting().ring(code, headers=headers, body=body)

    def answer(self, code: int = 200, *, headers: Headers | None = None, body: str = "") -> Call:
        """Answers the newest call that waits."""
        return self._waiting().answer(code, headers=headers, body=body)

    def reject(self, code: int = 486, *, headers: Headers | None = None, body: str = "") -> Call:
        """Refuses the newest call that waits."""
        return self._waiting().reject(code, headers=headers, body=body)

    def _waiting(self) -> Call:
        incoming = self.incoming
        if not incoming:
            raise LookupError(f"no call waits at {self.name}")
        return incoming[-1]

    def auto_answer(self, after: float = 0.5) -> None:
        """Rings and answers each call by itself from now on, so many seconds after its INVITE."""
        self._kit.behave(self._host, "answer", after, 200, 200)

    def auto_reject(self, code: int = 486, after: float = 0.0) -> None:
        """Refuses each call by itself from now on."""
        self._kit.behave(self._host, "refuse", after, code, 200)

    def by_hand(self, status: int = 200) -> None:
        """Waits to be told from now on, as a new user agent does. Requests outside calls it answers with `status`, or
        not at all when that is 0."""
        self._kit.behave(self._host, "by hand", 0.0, 0, status)

    # ---- other requests ---------------------------------------------------------------------------------------------

    def request(
        self, method: str, to: str | UserAgent, *, headers: Headers | None = None, body: str = ""
    ) -> Message | None:
        """Sends a request outside a call, answering a challenge; the final response."""
        first = self._kit.wire_len()
        self._kit.request(self._host, method, self._uri(to), lines(headers), body)
        self._harness.settle()
        return self._last_final(method, first)

    def message(self, to: str | UserAgent, text: str) -> Message | None:
        """Sends a MESSAGE (RFC 3428); the final response."""
        return self.request("MESSAGE", to, headers={"Content-Type": "text/plain"}, body=text)

    def disconnect(self) -> None:
        """Breaks its connection to the node."""
        self._kit.disconnect(self._host)
        self._harness.settle()

    # ---- looking ----------------------------------------------------------------------------------------------------

    @property
    def messages(self) -> list[Message]:
        """What it sent and received, in order; without what the wire lost on the way to it."""
        return [m for m in self._harness.messages if m.sender == self.name or (m.receiver == self.name and not m.lost)]

    @property
    def received(self) -> list[Message]:
        """What it received."""
        return [m for m in self.messages if m.receiver == self.name]

    @property
    def sent(self) -> list[Message]:
        """What it sent."""
        return [m for m in self.messages if m.sender == self.name]

    def _uri(self, to: str | UserAgent) -> str:
        if isinstance(to, UserAgent):
            return to.aor
        return to if ":" in to else f"sip:{to}" if "@" in to else f"sip:{to}@{self.domain}"

    def _last_final(self, method: str, first: int) -> Message | None:
        since = self._harness.messages_from(first)
        mine = (m for m in reversed(since) if m.receiver == self.name and m.is_response and m.method == method)
        return next((m for m in mine if (m.status_code or 0) >= 200 and not m.lost), None)

    def __repr__(self) -> str:
        return f"<user agent {self.name}, {self.aor}>"
