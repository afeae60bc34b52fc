"""Sends everything to one server, but no calls of SIPp's."""

from siphon import Request, proxy


@proxy.on_request
def route(request: Request) -> None:
    if not request.in_dialog:
        if request.from_uri.user == "sipp" and request.transport == "udp":
            request.reply(403, "No Load Tests")
            return
        request.record_route()
    request.relay("sip:127.0.0.3:5060")
