from siphon import proxy


@proxy.on_request("INVITE, BYE")
def call(request):
    request.relay()


@proxy.on_request("MESSAGE", "OPTIONS")
def text(request):
    request.relay()


@proxy.on_request("subscribe")
def watch(request):
    request.relay()
