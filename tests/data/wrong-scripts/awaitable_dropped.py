from siphon import cache, proxy, timer


async def screened(request):
    return await cache.fetch("screen", request.source_ip)


@proxy.on_request
async def route(request):
    timer.sleep(1)
    cache.store("seen", request.call_id, "1")
    screened(request)
    request.relay()
