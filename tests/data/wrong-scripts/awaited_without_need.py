from siphon import auth, proxy, registrar


@proxy.on_request
async def route(request):
    if not await auth.require_digest(request):
        return
    contacts = await registrar.lookup(request.ruri)
    await request.fork(contacts)
