from siphon import proxy


@proxy.on_request
def route(request):
    if request.loose_route:
        request.relay()
    elif not request.has_header:
        request.reply(400)
    else:
        request.drop
