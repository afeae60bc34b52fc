from siphon import proxy, registrar


@proxy.on_request
def proxy(request):
    registrar = registrar.lookup(request.ruri)
    request.fork(registrar)
