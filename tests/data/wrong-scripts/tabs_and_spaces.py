from siphon import proxy


@proxy.on_request
def route(request):
    if request.in_dialog:
	request.loose_route()
    request.relay()
