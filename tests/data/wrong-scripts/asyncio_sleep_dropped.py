from asyncio import sleep

from siphon import proxy


@proxy.on_request
async def route(request):
    sleep(1)
    request.relay()
