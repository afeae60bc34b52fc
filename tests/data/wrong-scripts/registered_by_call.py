from siphon import proxy


def ping():
    return None


def route(request):
    request.set_headr("X-A", "b")


proxy.on_request("OPTIONS")(ping)
proxy.on_request(route)
