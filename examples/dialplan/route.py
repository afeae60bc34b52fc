"""A script in several files: this one has the handlers; `numbering` and `callers` beside it have what can be tested alone.

Modules beside the script belong to its generation: a change of any of them reloads all of them together.
"""

from callers import admit
from numbering import Kind, read

from siphon import Request, auth, proxy, registrar

CARRIER = "sip:192.0.2.20:5060"
EMERGENCY = "sip:192.0.2.112:5060"


@proxy.on_request("REGISTER")
def register(request: Request) -> None:
    if auth.require_www_digest(request):
        registrar.save(request)


@proxy.on_request("INVITE")
def call(request: Request) -> None:
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    dialled = read(request.ruri.user or "")
    request.record_route()
    # Emergency calls are never asked for a password.
    if dialled.kind is Kind.EMERGENCY:
        request.relay(EMERGENCY)
    elif not admit(request):
        return
    elif dialled.kind is Kind.USER:
        request.fork(registrar.lookup(request.ruri))
    elif dialled.kind is Kind.NUMBER:
        request.set_ruri_user(dialled.number)
        request.relay(CARRIER)
    else:
        request.reply(404, "No Such Number")
