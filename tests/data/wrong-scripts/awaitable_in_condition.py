from siphon import cache, proxy


@proxy.on_request
async def route(request):
    if cache.exists("blocked", request.source_ip):
        request.reply(403)
        return
    name = cache.fetch("cnam", request.from_uri.user or "")
    if not name:
        request.reply(404)
        return
    request.set_from_display(name)
    request.relay()
