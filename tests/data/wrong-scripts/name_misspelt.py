from siphon import proxy, registar


@proxy.on_request
def route(request):
    request.fork(registar.lookup(request.ruri))
