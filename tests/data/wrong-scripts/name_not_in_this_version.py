from siphon import gateway, proxy


@proxy.on_request
def route(request):
    destination = gateway.select("trunks")
    request.relay(destination)
