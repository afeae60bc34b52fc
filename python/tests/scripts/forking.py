"""A script of the kit's own tests: forks to what is registered, fails over once, says what happened."""

from siphon import Reply, Request, auth, log, metrics, proxy, registrar

calls = metrics.counter("calls", "INVITEs outside dialogs", labels=["how"])


@proxy.on_request
def route(request: Request) -> None:
    if request.in_dialog:
        if request.loose_route():
            request.relay()
        else:
            request.reply(404)
        return
    if request.method == "REGISTER":
        if auth.require_digest(request):
            registrar.save(request)
        return
    if request.method == "OPTIONS":
        request.reply(200, "OK")
        return
    if request.method == "INFO":
        request.drop()
        return
    contacts = registrar.lookup(request.ruri)
    if not contacts:
        calls.labels(how="unknown").inc()
        request.reply(404, "Not Found")
        return
    calls.labels(how="forked").inc()
    request.record_route()
    request.fork(contacts)


@proxy.on_failure
def failed(request: Request, reply: Reply) -> None:
    log.info("failed", code=reply.status_code)
    if reply.status_code == 503:
        request.relay("sip:voicemail.example.net")
