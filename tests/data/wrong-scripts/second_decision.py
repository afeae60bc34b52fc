from siphon import proxy, registrar


@proxy.on_request
def route(request):
    contacts = registrar.lookup(request.ruri)
    if contacts:
        request.fork(contacts)
    else:
        request.relay()
    request.reply(404)


@proxy.on_reply
def seen(request, reply):
    reply.reject(503)
    reply.drop()
