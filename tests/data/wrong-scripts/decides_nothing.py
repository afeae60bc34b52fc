from siphon import log, proxy


@proxy.on_request
def route(request):
    log.info("a request", method=request.method)
    request.record_route()
