from siphon import proxy, registrar


@proxy.on_request("REGISTER")
def register(request):
    registrar.save_pending(request)


@proxy.on_request("INVITE")
def call(request):
    request.fork(registrar.find(request.ruri))
