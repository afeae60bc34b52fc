from siphon import proxy


@proxy.on_request
def route(request):
    if request.method == "invite" or request.transport == "UDP":
        request.relay()
    elif request.cseq == "1" or request.body == "ping":
        request.reply(200)
    elif request.ruri.user == 100:
        request.reply(404)
    else:
        request.drop()
