"""Calls to numbers leave by one of two trunks; the second is tried when the first fails."""

from siphon import Reply, Request, auth, log, proxy

FIRST = "sip:192.0.2.10:5060"
SECOND = "sip:192.0.2.11:5060"


def to_second(request: Request, reply: Reply) -> None:
    if reply.status_code in (408, 500, 503):
        log.warning("the first trunk failed", status=reply.status_code, local=reply.is_local)
        request.relay(SECOND)


@proxy.on_request("INVITE")
def call(request: Request) -> None:
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    if not auth.require_proxy_digest(request):
        return
    request.record_route()
    request.relay(FIRST, on_failure=to_second, timeout="10s")
