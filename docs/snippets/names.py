"""Caller names from a cache, and what happened to a call told by its replies."""

from siphon import Contact, Reply, Request, cache, log, proxy, registrar


def seen(request: Request, reply: Reply) -> None:
    log.info("reply", status=reply.status_code, from_tag=request.from_tag)


@proxy.on_request("INVITE")
async def call(request: Request) -> None:
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    name = await cache.fetch("cnam", request.from_uri.user or "")
    if name:
        request.set_from_display(name)
    request.record_route()
    request.fork(registrar.lookup(request.ruri), on_reply=seen)


@proxy.on_cancel
def gave_up(request: Request) -> None:
    log.info("the caller gave up", called=request.ruri.user)


@registrar.on_change
def changed(aor: str, event_type: str, contacts: list[Contact]) -> None:
    log.info("registration", aor=aor, event=event_type, contacts=len(contacts))
