"""The script of a siphon-sbc that was given none.

Phones register with digest and call each other; the two sides of a call never see each other's addresses. Anybody may
call a user of this node; calling anywhere else takes an account here, so this is no open relay. What happens inside a
call is the engine's work and never comes here.
"""

from siphon import Call, Request, auth, b2bua, log, proxy, registrar


@proxy.on_request
def route(request: Request) -> None:
    # save() answers by itself: 200 with the bindings, or what was wrong.
    if request.method == "REGISTER":
        if auth.require_www_digest(request):
            registrar.save(request)
    # "Are you there?"
    elif request.method == "OPTIONS" and request.ruri.is_local:
        request.reply(200)
    # An ACK opens nothing.
    elif request.method == "ACK":
        request.drop()
    else:
        request.reply(405)


@b2bua.on_invite
def on_invite(call: Call) -> None:
    # Who calls as a user of ours, or somewhere else through us, must be a user of ours, under the own name.
    if call.from_uri.is_local or not call.ruri.is_local:
        if not auth.require_proxy_digest(call):
            return
        if call.from_uri.user != call.auth_user:
            call.reject(403, "Not Your Name")
            return

    if not call.ruri.is_local:
        call.dial(call.ruri)
        return

    contacts = registrar.lookup(call.ruri)
    if not contacts:
        log.info("nobody is registered there", called=call.ruri.user)
        call.reject(480)
        return
    call.dial(contacts)
