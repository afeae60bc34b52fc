from siphon import ipsec, proxy


@proxy.on_request
def route(request):
    ipsec.create(request)
    request.relay()
