"""Phones one after the other, 15 seconds each, best q first; then the mailbox."""

from siphon import Reply, Request, proxy, registrar

MAILBOX = "sip:mailbox@192.0.2.30"


def to_mailbox(request: Request, reply: Reply) -> None:
    if reply.status_code in (408, 480, 486):
        request.set_ruri(MAILBOX)
        request.relay()


@proxy.on_request("INVITE")
def call(request: Request) -> None:
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    contacts = registrar.lookup(request.ruri)
    request.record_route()
    if not contacts:
        request.relay(MAILBOX)
        return
    request.fork(contacts, strategy="sequential", timeout="15s", on_failure=to_mailbox)
