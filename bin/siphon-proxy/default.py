"""The script of a siphon-proxy that was given none.

Phones register with digest and call each other. Anybody may call a user of this node; calling anywhere
else takes an account here, so this is no open relay. Retransmissions, CANCEL, Max-Forwards, 100 Trying and
the ACK to a rejected INVITE are the engine's work and never come here.
"""

from siphon import Request, auth, log, proxy, registrar


@proxy.on_request
def route(request: Request) -> None:
    # Inside a dialog, a request follows the route set that record_route() wrote when it began.
    if request.in_dialog:
        if request.loose_route():
            request.relay()
        elif request.method == "ACK":
            request.drop()
        else:
            request.reply(404, "Not Here")
        return

    # An ACK opens nothing: outside a dialog it belongs to no call of ours.
    if request.method == "ACK":
        request.drop()
        return

    # "Are you there?"
    if request.method == "OPTIONS" and request.ruri.is_local:
        request.reply(200)
        return

    # save() answers by itself: 200 with the bindings, or what was wrong.
    if request.method == "REGISTER":
        if auth.require_www_digest(request):
            registrar.save(request)
        return

    # Who calls as a user of ours, or somewhere else through us, must be a user of ours, under the own name.
    if request.from_uri.is_local or not request.ruri.is_local:
        if not auth.require_proxy_digest(request):
            return
        if request.from_uri.user != request.auth_user:
            request.reply(403, "Not Your Name")
            return

    request.record_route()
    if not request.ruri.is_local:
        request.relay()
        return

    contacts = registrar.lookup(request.ruri)
    if not contacts:
        log.info("nobody is registered there", called=request.ruri.user)
        request.reply(480)
        return
    request.fork(contacts)
