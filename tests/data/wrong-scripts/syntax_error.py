from siphon import proxy


@proxy.on_request
def route(request)
    request.relay()
