"""What the header field X-Do says: one script for every scenario that kit and daemon are compared in."""

from siphon import Reply, Request, auth, proxy, registrar, timer


@proxy.on_request
async def route(request: Request) -> None:
    if request.in_dialog:
        if request.loose_route():
            request.relay()
        elif request.method != "ACK":
            request.reply(404, "Not Here")
        return
    if request.method == "ACK":
        request.drop()
        return
    verb, _, rest = (request.get_header("X-Do") or "reply 200").partition(" ")
    request.remove_header("X-Do")
    targets = rest.split()
    if verb == "reply":
        code, _, reason = rest.partition(" ")
        request.reply(int(code), reason) if reason else request.reply(int(code))
    elif verb == "register":
        registrar.save(request)
    elif verb == "digest":
        if auth.require_digest(request):
            registrar.save(request)
    elif verb == "relay":
        request.relay(targets[0] if targets else None)
    elif verb == "routed":
        request.record_route()
        request.relay(targets[0] if targets else None)
    elif verb == "fork":
        request.fork(targets)
    elif verb == "one-by-one":
        request.fork(targets, strategy="sequential")
    elif verb == "lookup":
        request.record_route()
        request.fork(registrar.lookup(request.ruri))
    elif verb == "sleep":
        await timer.sleep(0.3)
        request.reply(486, "Slept")
    elif verb == "edit":
        request.remove_headers_matching("^X-Secret")
        request.set_header("X-Seen", "yes")
        request.set_ruri_user("edited")
        request.relay(targets[0] if targets else None)
    elif verb == "raise":
        raise ValueError("on purpose")
    elif verb == "nothing":
        pass
    elif verb == "drop":
        request.drop()


@proxy.on_failure
def failed(request: Request, reply: Reply) -> None:
    if reply.status_code == 486 and request.get_header("X-Then"):
        request.relay(request.get_header("X-Then"))
