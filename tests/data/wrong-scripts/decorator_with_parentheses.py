from siphon import log, proxy


@proxy.on_request
def route(request):
    request.relay()


@proxy.on_reply()
def seen(request, reply):
    log.info("reply", status=reply.status_code)
