from siphon import auth, log, proxy, registrar


@proxy.on_request
def route(request):
    if not auth.require_digest(request, relm="example.com"):
        return
    log.info("%s calls %s", request.from_uri, request.to_uri)
    if request.method == "REGISTER":
        registrar.save()
    elif request.method == "OPTIONS":
        request.reply(200, "OK", None, None, None, False, None)
    else:
        request.relay("sip:192.0.2.1", next_hop="sip:192.0.2.2", retries=3)
