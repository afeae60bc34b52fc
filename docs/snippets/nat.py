"""Phones behind NAT: the source of a REGISTER is the way back, and a Contact in a dialog carries an alias."""

from siphon import auth, proxy, registrar


@proxy.on_request("REGISTER")
def register(request):
    if auth.require_www_digest(request):
        request.fix_nated_register()
        registrar.save(request)


@proxy.on_request
def route(request):
    if request.in_dialog:
        if request.method in ("INVITE", "UPDATE"):
            request.add_contact_alias()
        request.loose_route()
        request.relay()
        return
    if request.method == "ACK":
        request.drop()
        return
    if not auth.require_proxy_digest(request):
        return
    if request.method == "INVITE":
        request.add_contact_alias()
    request.record_route()
    request.fork(registrar.lookup(request.ruri))


@proxy.on_reply
def answered(request, reply):
    if reply.status_code == 200 and request.method == "INVITE":
        reply.add_header("X-Seen-By", "edge")
