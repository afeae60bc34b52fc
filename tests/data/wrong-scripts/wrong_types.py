from siphon import proxy, registrar


@proxy.on_request
def route(request):
    contacts = registrar.lookup(request.ruri)
    request.set_body(5)
    if request.method == "INVITE":
        request.relay(contacts)
    elif request.method == "MESSAGE":
        request.fork(request.ruri)
    elif request.method == "INFO":
        request.fork(contacts, strategy="serial")
    else:
        request.reply(200, headers=["X-A: b"])
