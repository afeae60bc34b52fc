"""A first script: phones register with digest and call each other."""

from siphon import Request, auth, log, proxy, registrar


@proxy.on_request
def route(request: Request) -> None:
    if request.in_dialog:
        if request.loose_route():
            request.relay()
        elif request.method == "ACK":
            request.drop()
        else:
            request.reply(404, "Not Here")
        return

    if request.method == "ACK":
        request.drop()
        return

    if request.method == "OPTIONS" and request.ruri.is_local:
        request.reply(200)
        return

    if request.method == "REGISTER":
        if auth.require_www_digest(request):
            registrar.save(request)
        return

    if not auth.require_proxy_digest(request):
        return
    if not request.ruri.is_local:
        request.reply(403, "Local Calls Only")
        return

    contacts = registrar.lookup(request.ruri)
    log.info("a call", caller=request.auth_user, called=request.ruri.user, phones=len(contacts))
    request.record_route()
    request.fork(contacts)
