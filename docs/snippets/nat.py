"""Phones behind NAT: what they register is kept with the way it came, and calls go back that way."""

from siphon import Request, auth, proxy, registrar


@proxy.on_request("REGISTER")
def register(request: Request) -> None:
    if auth.require_www_digest(request):
        request.fix_nated_register()
        registrar.save(request)


@proxy.on_request("INVITE")
def call(request: Request) -> None:
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    request.record_route()
    request.fork(registrar.lookup(request.ruri))
