from siphon import log, proxy, timer


@proxy.on_request
def route(request):
    request.relay()


@timer.every
def alive():
    log.info("still here")
