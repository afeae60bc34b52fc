from siphon import log


def route(request):
    log.info("never called")
    request.relay()
