"""The default script of siphon-proxy, with two more decisions the benchmark needs:
a domain that registers without a password, and calls to addresses elsewhere."""

from siphon import auth, proxy, registrar

DOMAIN = "example.com"


@proxy.on_request
def route(request):
    if request.method == "OPTIONS" and request.ruri.is_local:
        request.reply(200, "OK")
        return

    if request.in_dialog:
        if request.loose_route():
            request.relay()
        else:
            request.reply(404, "Not Here")
        return

    if request.method == "REGISTER":
        if request.ruri.host == DOMAIN and not auth.require_digest(request, realm=DOMAIN):
            return
        registrar.save(request)
        request.reply(200, "OK")
        return

    if not request.ruri.is_local:
        request.record_route()
        request.relay()
        return

    contacts = registrar.lookup(request.ruri)
    if not contacts:
        request.reply(404, "Not Found")
        return
    request.record_route()
    request.fork([c.uri for c in contacts])
