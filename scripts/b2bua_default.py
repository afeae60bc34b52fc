"""A session border controller to start from: phones of one domain register with digest and call each other, and neither
side sees the other's addresses. Numbers that begin with a plus go to a carrier.

The engine answers retransmissions, CANCEL and Max-Forwards by itself, sends 100 Trying and ACK, and passes on what
happens inside a call: holding, refreshing, hanging up.
"""

from siphon import ByeInitiator, Call, Request, auth, b2bua, log, proxy, registrar

CARRIER = "sip:carrier.example.net"


@proxy.on_request
def other_requests(request: Request) -> None:
    """What is no call."""
    if request.method == "REGISTER":
        # Where the check fails it has recorded the 401; save() records the 200 with the bindings.
        if auth.require_www_digest(request):
            registrar.save(request)
    elif request.method == "OPTIONS" and request.ruri.is_local:
        request.reply(200)
    elif request.method == "ACK":
        request.drop()
    else:
        request.reply(405)


@b2bua.on_invite
def on_invite(call: Call) -> None:
    # Whoever claims to be a user of ours proves it, under the own name. Strangers may call our users.
    if call.from_uri.is_local:
        if not auth.require_proxy_digest(call):
            return
        if call.auth_user != call.from_uri.user:
            call.reject(403, "Not Your Name")
            return
    elif not call.ruri.is_local:
        call.reject(403, "Local Calls Only")
        return

    # What phones say of themselves is nobody's business.
    call.remove_headers_matching("X-|User-Agent")
    number = call.ruri.user or ""
    if call.auth_user and number.startswith("+"):
        call.vars["carrier"] = True
        call.max_duration("4h")
        # It is asked for the number that was dialled, and told who calls.
        call.dial(CARRIER, header_policy="trunk")
        return

    contacts = registrar.lookup(call.ruri)
    if contacts:
        call.dial(contacts, timeout=30)
    else:
        call.reject(480)


@b2bua.on_failure
def on_failure(call: Call, code: int, reason: str) -> None:
    # Saying nothing sends the best response to the caller.
    if call.vars.get("carrier") and code in (408, 503):
        log.warning("the carrier does not answer", code=code, reason=reason)
        call.reject(503, "No Carrier")


@b2bua.on_bye
def on_bye(call: Call, initiator: ByeInitiator) -> None:
    log.info("a call has ended", by=initiator, carrier=bool(call.vars.get("carrier")))
