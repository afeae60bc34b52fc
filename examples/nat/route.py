"""An edge in front of phones behind NAT: calls reach them by the way they registered, and what they write into Contact is
repaired before anybody outside sees it."""

from siphon import Request, auth, proxy, registrar

CARRIER = "sip:192.0.2.20:5060"


def behind_nat(request: Request) -> bool:
    """The phone names another address than the one its packets come from."""
    contact = request.get_header("Contact")
    return contact is not None and request.source_ip not in contact


@proxy.on_request("REGISTER")
def register(request: Request) -> None:
    if auth.require_www_digest(request):
        # The Contact is kept as the phone wrote it, together with where the REGISTER came from.
        request.fix_nated_register()
        registrar.save(request)


@proxy.on_request
def route(request: Request) -> None:
    if behind_nat(request):
        request.add_contact_alias()
    if request.in_dialog:
        # An alias in the Request-URI is followed, and taken out again.
        request.loose_route()
        request.relay()
        return
    if request.method == "ACK":
        request.drop()
        return
    request.record_route()
    if (request.ruri.user or "").startswith("+"):
        if auth.require_proxy_digest(request):
            request.fix_nated_contact()
            request.relay(CARRIER)
        return
    request.fork(registrar.lookup(request.ruri))
