from siphon import log, proxy


@proxy.on_request
def route():
    log.info("a request")


@proxy.on_failure
async def failed(request):
    request.relay("sip:192.0.2.11")
