"""Phones call each other, and numbers through a carrier that is known by name: which gateway that is, DNS says (RFC 3263)."""

from siphon import Reply, Request, auth, log, proxy, registrar

CARRIER = "sip:carrier.example.net"


@proxy.on_request("OPTIONS")
def alive(request: Request) -> None:
    request.reply(200)


@proxy.on_request("REGISTER")
def register(request: Request) -> None:
    if auth.require_www_digest(request):
        registrar.save(request)


@proxy.on_request("INVITE|ACK|BYE|INFO|UPDATE|PRACK")
def call(request: Request) -> None:
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    if request.method != "INVITE":
        request.reply(481)
        return
    request.record_route()
    if (request.ruri.user or "").startswith("+"):
        request.relay(CARRIER, on_failure=carrier_failed)
    else:
        request.fork(registrar.lookup(request.ruri), timeout="30s")


def carrier_failed(request: Request, reply: Reply) -> None:
    log.warning("the carrier failed", status=reply.status_code, local=reply.is_local)
    if reply.is_local:
        request.reply(500, "No Carrier")
