from siphon import log, proxy, registrar


@proxy.on_request
def route(request):
    if request.max_forwards == 0:
        log.warning("too many hops")
        return
    contacts = registrar.lookup(request.ruri)
    if not contacts:
        log.info("nobody there", called=request.ruri.user)
        return
    request.fork(contacts)
