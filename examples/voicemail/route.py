"""Who rings when: all phones of the best q, then those of the next, and the mailbox when nobody took the call.

Users of the group `support` are asked one after the other instead, in the order of the list.
"""

from typing import Literal

from siphon import Reply, Request, auth, proxy, registrar

MAILBOX = "sip:192.0.2.30:5060"
SUPPORT = ["sip:alice@example.com", "sip:bob@example.com"]


REASONS = {408: "no-answer", 480: "unavailable", 486: "user-busy"}


def to_the_mailbox(request: Request, reason: str) -> None:
    """The mailbox learns from Diversion (RFC 5806) whose caller it gets, and why."""
    request.set_header("Diversion", f"<{request.to_uri}>;reason={reason}")
    request.set_ruri_user("mailbox")
    request.relay(MAILBOX)


def nobody_took_it(request: Request, reply: Reply) -> None:
    # The best answer of all phones (RFC 3261 16.7); any other, such as 603, is the caller's.
    if reply.status_code in REASONS:
        to_the_mailbox(request, REASONS[reply.status_code])


@proxy.on_request("REGISTER")
def register(request: Request) -> None:
    if auth.require_www_digest(request):
        registrar.save(request)


@proxy.on_request("INVITE")
def call(request: Request) -> None:
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    request.record_route()
    if request.ruri.user == "support":
        phones = [phone for user in SUPPORT for phone in registrar.lookup(user)]
        strategy: Literal["sequential", "q"] = "sequential"
    else:
        phones, strategy = registrar.lookup(request.ruri), "q"
    if phones:
        request.fork(phones, strategy=strategy, timeout="20s", on_failure=nobody_took_it)
    else:
        to_the_mailbox(request, "unavailable")
