from siphon import log, proxy, registrar


@proxy.on_request
def route(request):
    if request.from_uri.usr == "alice":
        request.repyl(403)
        return
    for contact in registrar.lookup(request.ruri):
        log.info("rings", where=contact.uri.hots, q=contact.qvalue)
    request.fork([c.ury for c in registrar.lookup(request.ruri)])


@proxy.on_reply
def seen(request, reply):
    if reply.status == 180 and request.method.lowr() == "invite":
        reply.drop()
