"""A proxy whose calls send their media through rtpengine: phones that cannot reach each other hear each other.

Every SDP goes through `offer` or `answer`; `delete` ends the sessions with the call. Where no engine does it in time, the
call is refused: it would be a call without sound.
"""

from siphon import MediaError, Reply, Request, auth, log, proxy, registrar, rtpengine


@proxy.on_request("REGISTER")
def register(request: Request) -> None:
    if auth.require_www_digest(request):
        request.fix_nated_register()
        registrar.save(request)


@proxy.on_request
async def route(request: Request) -> None:
    contacts = []
    if request.in_dialog:
        if not request.loose_route() and request.method != "ACK":
            request.reply(404, "Not Here")
            return
    elif request.method in ("ACK", "BYE"):
        request.drop()
        return
    elif not request.ruri.is_local:
        request.reply(403, "Local Calls Only")
        return
    else:
        contacts = registrar.lookup(request.ruri)
        if not contacts:
            request.reply(480)
            return
        request.record_route()
    if request.method == "BYE":
        await rtpengine.delete(request)
    elif request.method == "ACK":
        # An answer, when the INVITE had no offer and the 200 had (RFC 3261 13.2.1).
        await rtpengine.answer(request)
    elif request.method in ("INVITE", "UPDATE"):
        try:
            await rtpengine.offer(request)
        except MediaError as error:
            log.error("no media for this call", why=str(error))
            request.reply(503, "No Media")
            return
    if request.in_dialog:
        request.relay()
    else:
        request.fork(contacts)


@proxy.on_reply
async def on_reply(request: Request, reply: Reply) -> None:
    if request.method not in ("INVITE", "UPDATE") or reply.status_code >= 300:
        return
    if request.has_body("application/sdp"):
        await rtpengine.answer(reply)
    else:
        # The INVITE had no offer, so this is it.
        await rtpengine.offer(reply)


@proxy.on_failure
async def on_failure(request: Request, reply: Reply) -> None:
    if request.method == "INVITE" and not request.in_dialog:
        await rtpengine.delete(request)


@proxy.on_cancel
async def on_cancel(request: Request) -> None:
    await rtpengine.delete(request)
