"""Handlers registered by calls and not by decorators."""

from siphon import proxy, registrar, timer


def ping(request):
    request.reply(200)


def route(request):
    request.relay()


async def tick():
    await registrar.aor_count()


proxy.on_request("OPTIONS")(ping)
proxy.on_request(route)
proxy.on_reply(lambda request, reply: None)
timer.every("30s")(tick)
for event in (proxy.on_failure,):
    event(lambda request, reply: request.reply(503))
