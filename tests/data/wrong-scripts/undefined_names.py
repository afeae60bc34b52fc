from siphon import proxy

TRUNK = "sip:192.0.2.10"


def screened(request):
    log.info("screened", caller=request.from_uri)
    return [n for n in BLOCKED if n == request.from_uri.user]


@proxy.on_request
def route(request):
    if screened(request):
        request.reply(403)
        return
    request.relay(TRUNC)
