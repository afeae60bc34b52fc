from siphon import proxy, timer


@proxy.on_request
async def route(request):
    request.relay()
    await timer.sleep("1s")
    request.set_header("X-Late", "yes")


@proxy.on_reply
def seen(request, reply):
    request.remove_header("X-Secret")
    reply.set_header("X-Seen", "yes")
