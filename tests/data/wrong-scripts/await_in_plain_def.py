from siphon import cache, proxy


@proxy.on_request
def route(request):
    name = await cache.fetch("cnam", "1")
    request.relay()
