"""What became of a message that a test sent: read off what the engine put on the wire, so it grows as time passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .message import Message
from .observed import Decision, LogLine

if TYPE_CHECKING:
    from .harness import SipTestHarness


class RequestResult:
    """A request that a test sent, and all that followed from it so far."""

    def __init__(self, harness: SipTestHarness, request: Message, first: int, decision: int, client: str) -> None:
        self._harness = harness
        self._first = first
        self._decision = decision
        self._client = client
        self.request: Message = request
        """The request as it was sent."""

    # ---- what came back ---------------------------------------------------------------------------------------------

    @property
    def replies(self) -> list[Message]:
        """Responses to the request, provisional ones and copies included."""
        # A CANCEL has the branch of its INVITE.
        branch, method = self.request.branch, self.request.cseq[1]
        return [
            m
            for m in self._harness.messages_from(self._first)
            if m.is_response and m.destination == self._client and m.branch == branch and m.method == method
        ]

    @property
    def final(self) -> Message | None:
        """The final response; None when there is none yet."""
        return next((m for m in self.replies if (m.status_code or 0) >= 200), None)

    @property
    def replied_with(self) -> tuple[int, str] | None:
        """Code and reason of the final response; None when there is none yet."""
        final = self.final
        return None if final is None else (final.status_code or 0, final.reason or "")

    @property
    def status_code(self) -> int | None:
        """Code of the final response; None when there is none yet."""
        final = self.final
        return None if final is None else final.status_code

    @property
    def reason(self) -> str | None:
        """Reason phrase of the final response; None when there is none yet."""
        final = self.final
        return None if final is None else final.reason

    # ---- what went on -----------------------------------------------------------------------------------------------

    @property
    def sent(self) -> list[Message]:
        """Everything that left the node for this Call-ID since the request was sent."""
        call_id = self.request.call_id
        return [m for m in self._harness.sent_from(self._first) if m.call_id == call_id]

    @property
    def relayed(self) -> list[Message]:
        """The request as it left the node, once per branch."""
        number, method = self.request.cseq
        branches: dict[str, Message] = {}
        for m in self.sent:
            if m.is_request and m.method == method and m.cseq[0] == number:
                branches.setdefault(m.branch, m)
        return list(branches.values())

    @property
    def was_relayed(self) -> bool:
        """Whether the request left the node."""
        return bool(self.relayed)

    @property
    def was_forked(self) -> bool:
        """Whether the script forked it, to however many targets."""
        return any(d.what.startswith("fork") for d in self.decisions) or len(self.relayed) > 1

    @property
    def was_dropped(self) -> bool:
        """Whether it was neither answered nor relayed."""
        return not self.replies and not self.was_relayed

    @property
    def targets(self) -> list[str]:
        """The Request-URI of each branch, in the order they were tried."""
        return [m.uri or "" for m in self.relayed]

    @property
    def next_hop(self) -> str | None:
        """Where the first branch was sent, as a URI with its port; by name where the DNS led there."""
        return self._harness.hop(self.relayed[0]) if self.relayed else None

    @property
    def record_routed(self) -> bool:
        """Whether the node put a Record-Route of its own on top."""
        before = len(self.request.values("Record-Route"))
        return any(len(m.values("Record-Route")) > before for m in self.relayed)

    # ---- why --------------------------------------------------------------------------------------------------------

    @property
    def decisions(self) -> list[Decision]:
        """What policy decided about it, failure handlers included."""
        call_id = self.request.call_id
        return [d for d in self._harness.decisions_from(self._decision) if d.call_id == call_id]

    @property
    def actions(self) -> list[str]:
        """Every decision in order, as `action` names them."""
        return [d.what for d in self.decisions]

    @property
    def action(self) -> str | None:
        """The first decision: `reply 404`, `relay`, `fork 2`, `drop`, `failed`, `role procedure`."""
        return self.decisions[0].what if self.decisions else None

    @property
    def script_line(self) -> str | None:
        """File and line of the script that decided first."""
        return self.decisions[0].script_line if self.decisions else None

    @property
    def log(self) -> list[LogLine]:
        """Log lines about this Call-ID."""
        return [line for line in self._harness.log if line.call_id == self.request.call_id]

    @property
    def ladder(self) -> str:
        """The messages of this Call-ID as a ladder."""
        return self._harness.ladder(self.request.call_id)

    def __repr__(self) -> str:
        became = self.replied_with or ("relayed to " + ", ".join(self.targets) if self.was_relayed else "no answer")
        return f"<{self.request.start_line}: {became}>"


class CallResult(RequestResult):
    """An INVITE that a test sent to a node that makes calls of two legs, and all that followed from it so far."""

    @classmethod
    def _of(cls, sent: RequestResult) -> CallResult:
        return cls(sent._harness, sent.request, sent._first, sent._decision, sent._client)

    @property
    def legs(self) -> list[Message]:
        """The first INVITE of each leg that the node dialled since, in the order they left. Calls that another client of
        the test made meanwhile count, too."""
        legs: dict[tuple[str, str], Message] = {}
        for m in self._harness.sent_from(self._first):
            if m.is_request and m.method == "INVITE" and m.to_tag is None:
                legs.setdefault((m.call_id, m.branch), m)
        return list(legs.values())

    @property
    def targets(self) -> list[str]:
        """The Request-URI of each leg, in the order they were tried."""
        return [m.uri or "" for m in self.legs]

    @property
    def was_dialled(self) -> bool:
        """Whether the node called anybody."""
        return bool(self.legs)

    @property
    def was_rejected(self) -> bool:
        """Whether the script, or a check of it, refused the call."""
        return any(action.startswith("reject") for action in self.actions)

    @property
    def was_terminated(self) -> bool:
        """Whether the script ended the call."""
        return any("terminate" in action for action in self.actions)

    def __repr__(self) -> str:
        became = self.replied_with or ("dialled " + ", ".join(self.targets) if self.was_dialled else "no answer")
        return f"<{self.request.start_line}: {became}>"


class ReplyResult:
    """A response that a test sent as the next hop, and what the node made of it."""

    def __init__(self, harness: SipTestHarness, reply: Message, first: int) -> None:
        self._harness = harness
        self._first = first
        self.reply: Message = reply
        """The response as it was sent."""

    @property
    def sent(self) -> list[Message]:
        """Everything that left the node for this Call-ID since."""
        return [m for m in self._harness.sent_from(self._first) if m.call_id == self.reply.call_id]

    @property
    def forwarded(self) -> Message | None:
        """The response as it went on upstream; None when it did not."""
        same = (m for m in self.sent if m.is_response and m.status_code == self.reply.status_code)
        return next(same, None)

    @property
    def was_relayed(self) -> bool:
        """Whether the response went on upstream."""
        return self.forwarded is not None

    def __repr__(self) -> str:
        return f"<{self.reply.start_line}: {'forwarded' if self.was_relayed else 'not forwarded'}>"
