"""What proxy.py does for siphon-proxy, with calls of two legs."""

from siphon import auth, b2bua, proxy, registrar

DOMAIN = "example.com"


@proxy.on_request
def route(request):
    if request.method == "OPTIONS" and request.ruri.is_local:
        request.reply(200, "OK")
        return

    if request.method == "REGISTER":
        if request.ruri.host == DOMAIN and not auth.require_digest(request, realm=DOMAIN):
            return
        registrar.save(request)
        request.reply(200, "OK")
        return

    request.reply(405)


@b2bua.on_invite
def on_invite(call):
    if not call.ruri.is_local:
        call.dial(call.ruri)
        return

    contacts = registrar.lookup(call.ruri)
    if not contacts:
        call.reject(404, "Not Found")
        return
    call.dial([c.uri for c in contacts])
