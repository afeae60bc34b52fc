from siphon import proxy


@proxy.on_request
def route(request):
    import numbers_of_nobody

    numbers_of_nobody.rewrite(request)
    request.relay()
