"""Our side of the migration table: the header field X-Row says which row's function gets the request."""

from collections.abc import Callable

from siphon import Reply, Request, auth, cache, log, proxy, registrar, timer


def one(request: Request) -> str:
    return request.get_header("X-One") or ""


def two(request: Request) -> str:
    return request.get_header("X-Two") or ""


def relay(request: Request) -> None:
    request.relay()


def next_hop(request: Request) -> None:
    request.relay(one(request))


def ruri(request: Request) -> None:
    request.set_ruri(one(request))
    request.relay()


def ruri_user(request: Request) -> None:
    request.set_ruri_user("edited")
    request.relay(one(request))


def fork(request: Request) -> None:
    request.fork([one(request), two(request)])


def serial(request: Request) -> None:
    request.fork([one(request), two(request)], strategy="sequential")


def failure(request: Request) -> None:
    def failed(request: Request, reply: Reply) -> None:
        request.relay(two(request))

    request.relay(one(request), on_failure=failed)


def status(request: Request) -> None:
    def failed(request: Request, reply: Reply) -> None:
        if reply.status_code == 486:
            request.relay(two(request))

    request.relay(one(request), on_failure=failed)


def onreply(request: Request) -> None:
    def replied(request: Request, reply: Reply) -> None:
        reply.set_header("X-Seen", str(reply.status_code))

    request.relay(one(request), on_reply=replied)


def answer(request: Request) -> None:
    request.reply(480, "Gone Fishing")


def silence(request: Request) -> None:
    request.drop()


def recorded(request: Request) -> None:
    if request.in_dialog:
        loose(request)
        return
    request.record_route()
    request.relay(one(request))


def loose(request: Request) -> None:
    if request.loose_route():
        request.relay()
    else:
        request.reply(404, "Not Here")


def totag(request: Request) -> None:
    request.reply(481 if request.in_dialog else 200)


def saved(request: Request) -> None:
    registrar.save(request)


def found(request: Request) -> None:
    contacts = registrar.lookup(request.ruri)
    request.fork(contacts) if contacts else request.reply(404)


def registered(request: Request) -> None:
    request.reply(200 if registrar.is_registered(request.ruri) else 404)


def www(request: Request) -> None:
    if auth.require_www_digest(request, realm="example.com"):
        request.reply(200)


def proxied(request: Request) -> None:
    if auth.require_proxy_digest(request, realm="example.com"):
        request.reply(200)


def variables(request: Request) -> None:
    r = request
    seen = [r.auth_user, r.from_uri.user, r.to_uri.host, r.ruri.user, r.call_id, r.source_ip, r.source_port]
    request.add_reply_header("X-Seen", " ".join(map(str, seen)))
    request.reply(200)


def headers(request: Request) -> None:
    if request.has_header("X-Old"):
        request.add_header("X-New", request.get_header("X-Old") or "")
    request.remove_header("X-Old")
    request.remove_headers_matching("X-Secret")
    request.relay(one(request))


def reply_header(request: Request) -> None:
    request.add_reply_header("X-Seen", "yes")
    request.reply(200)


def nat_contact(request: Request) -> None:
    request.fix_nated_contact()
    request.relay(one(request))


def nat_register(request: Request) -> None:
    request.fix_nated_register()
    registrar.save(request)


def follow_alias(request: Request) -> None:
    request.relay()


def method(request: Request) -> None:
    request.reply(200 if request.method == "MESSAGE" else 405)


def alias(request: Request) -> None:
    request.add_contact_alias()
    request.relay(one(request))


def socket(request: Request) -> None:
    request.relay(one(request), send_socket="udp:127.0.0.1:5070")


def sane(request: Request) -> None:
    if proxy.sanity_check(request):
        request.reply(200)


def limited(request: Request) -> None:
    if proxy.rate_limit(request, 10, 3):
        request.reply(200)


async def asking(request: Request) -> None:
    answer = await proxy.send_request("OPTIONS", one(request), wait_for_response=True, timeout_ms=2000)
    request.reply(200 if answer is None else answer.status_code)


async def table(request: Request) -> None:
    before = await cache.fetch("seen", "key")
    await cache.store("seen", "key", request.method)
    request.reply(200 if before else 404)


def logged(request: Request) -> None:
    log.info("a request", method=request.method, source=request.source_ip)
    request.reply(200)


def short(request: Request) -> None:
    request.relay(one(request), timeout="1s")


@timer.every("30s", name="tick")
def tick() -> None:
    log.info("tick")


@proxy.on_request
async def route(request: Request) -> None:
    if request.method == "ACK" and not request.in_dialog:
        request.drop()
        return
    # A request inside a dialog has no X-Row: the call of the row that records its route.
    row: Callable[[Request], object] = globals()[request.get_header("X-Row") or "loose"]
    if (waits := row(request)) is not None:
        await waits  # type: ignore[misc]
