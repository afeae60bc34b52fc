from siphon import proxy


@proxy.on_request
def route(request):
    if request.in_dialog():
        request.relay()
    elif request.ruri.is_local():
        request.reply(200)
    else:
        request.drop()
