"""Sends everything to one server."""

from siphon import Request, proxy


@proxy.on_request
def route(request: Request) -> None:
    if not request.in_dialog:
        request.record_route()
    request.relay("sip:127.0.0.3:5060")
