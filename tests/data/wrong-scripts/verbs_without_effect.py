from siphon import proxy


@proxy.on_request
def route(request):
    request.relay()


@proxy.on_reply
def seen(request, reply):
    request.relay("sip:192.0.2.11")


@proxy.on_failure
def failed(request, reply):
    reply.drop()


@proxy.on_cancel
def gave_up(request):
    request.reply(487)
