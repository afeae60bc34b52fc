"""A session border controller with media: each side of a call sees this node, in SIP and in RTP.

`call.media.anchor()` is all it takes: the engine has each offer and answer rewritten by rtpengine, also those of
re-INVITE and UPDATE, and deletes the session when the call ends. By default each side gets the kind of RTP it speaks
itself; a `profile` converts, for example from WebRTC to plain RTP.
"""

from siphon import ByeInitiator, Call, Request, auth, b2bua, log, proxy, registrar


@proxy.on_request
def other_requests(request: Request) -> None:
    if request.method == "REGISTER":
        if auth.require_www_digest(request):
            request.fix_nated_register()
            registrar.save(request)
    elif request.method == "OPTIONS" and request.ruri.is_local:
        request.reply(200)
    elif request.method == "ACK":
        request.drop()
    else:
        request.reply(405)


@b2bua.on_invite
def on_invite(call: Call) -> None:
    if not call.ruri.is_local:
        call.reject(403, "Local Calls Only")
        return
    contacts = registrar.lookup(call.ruri)
    if not contacts:
        call.reject(480)
        return
    call.media.anchor()
    call.dial(contacts, timeout=30)


@b2bua.on_failure
def on_failure(call: Call, code: int, reason: str) -> None:
    # A call without sound is worse than none: the engine that fails is a failure like any other.
    if reason == "media":
        log.error("no media for this call")
        call.reject(503, "No Media")


@b2bua.on_bye
def on_bye(call: Call, initiator: ByeInitiator) -> None:
    log.info("a call has ended", by=initiator)
