from siphon import proxy


@proxy.on_request
def route(request):
    if not request.source_ip_in(["192.0.2.0/24", "example.com"]):
        request.relay("192.0.2.10:5060")
    else:
        request.fork(["sips:192.0.2.1", "spi:bob@example.com", "trunk.example.com"])
