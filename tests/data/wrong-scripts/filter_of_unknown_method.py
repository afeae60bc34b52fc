from siphon import proxy


@proxy.on_request("INVTE")
def call(request):
    request.relay()


@proxy.on_request("PING")
def ping(request):
    request.reply(200)


@proxy.on_request("CANCEL")
def gave_up(request):
    request.reply(200)
