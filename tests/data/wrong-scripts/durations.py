from siphon import log, proxy, timer


@proxy.on_request
def route(request):
    request.relay("sip:192.0.2.10", timeout="10 seconds")


@timer.every("5 minutes")
def often():
    log.info("often")


@timer.every(0)
def always():
    log.info("always")
