"""A registrar and proxy to start from: phones of one domain register with digest and call each other.

One handler per kind of request. A method that has no handler here goes through `everything_else`. The engine answers
retransmissions, CANCEL and Max-Forwards by itself, and sends 100 Trying and the ACK to failures.
"""

from siphon import Request, auth, log, proxy, registrar


@proxy.on_request("REGISTER")
def register(request: Request) -> None:
    # Where the check fails it has recorded the 401; save() records the 200 with the bindings.
    if auth.require_www_digest(request):
        registrar.save(request)


@proxy.on_request("OPTIONS")
def options(request: Request) -> None:
    # A ping of this node names no user; one that does is for a phone.
    if request.ruri.is_local and request.ruri.user is None:
        request.reply(200)
    else:
        everything_else(request)


@proxy.on_request
def everything_else(request: Request) -> None:
    if request.in_dialog:
        in_dialog(request)
    elif request.method == "ACK":
        request.drop()
    elif allowed(request):
        to_a_user(request)


def in_dialog(request: Request) -> None:
    """Along the route that record_route() wrote when the dialog began."""
    if request.loose_route():
        request.relay()
    elif request.method == "ACK":
        request.drop()
    else:
        request.reply(404, "Not Here")


def allowed(request: Request) -> bool:
    """Whoever claims to be a user of ours proves it, under the own name. Strangers may call our users."""
    if not request.from_uri.is_local:
        return True
    if not auth.require_proxy_digest(request):
        return False
    if request.auth_user != request.from_uri.user:
        request.reply(403, "Not Your Name")
        return False
    return True


def to_a_user(request: Request) -> None:
    if not request.ruri.is_local:
        request.reply(403, "Local Calls Only")
        return
    contacts = registrar.lookup(request.ruri)
    if not contacts:
        log.info("nobody is registered there", called=request.ruri.user)
        request.reply(480)
        return
    request.record_route()
    request.fork(contacts)
