from siphon import proxy


@proxy.on_reqest
def route(request):
    request.relay()
