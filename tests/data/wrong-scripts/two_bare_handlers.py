from siphon import proxy


@proxy.on_request
def first(request):
    request.relay()


@proxy.on_request
def second(request):
    request.reply(404)
