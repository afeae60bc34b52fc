from siphon import proxy


@proxy.on_request
def route(request):
    request.ruri = "sip:bob@example.com"
    request.ruri.user = "carol"
    request.auth_user = "alice"
    request.tenant = "blue"
    request.relay()
