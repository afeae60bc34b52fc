"""What an edge refuses before anything else: scanners, for an hour, and whoever calls too often."""

from siphon import Request, auth, cache, log, metrics, proxy, registrar

SCANNERS = ("friendly-scanner", "sipvicious", "sipcli", "pplsip")
TRUSTED = ["192.0.2.0/24", "2001:db8::/32"]

refused = metrics.counter("edge_refused_total", "Requests this script refused", labels=["why"])


async def welcome(request: Request) -> bool:
    """Whether the request may come in. Where not, it is decided already."""
    if request.source_ip_in(TRUSTED):
        return True
    if await cache.exists("banned", request.source_ip):
        refused.labels(why="banned").inc()
        request.drop()
        return False
    if any(name in (request.user_agent or "").lower() for name in SCANNERS):
        await cache.store("banned", request.source_ip, request.user_agent or "", ttl="1h")
        log.warning("a scanner", source=request.source_ip, user_agent=request.user_agent)
        refused.labels(why="scanner").inc()
        # An answer would tell it that somebody is here.
        request.drop()
        return False
    if not proxy.rate_limit(request, 10, 30):
        refused.labels(why="rate").inc()
        return False
    if not proxy.sanity_check(request):
        refused.labels(why="insane").inc()
        return False
    return True


@proxy.on_request("REGISTER|INVITE|OPTIONS")
async def new(request: Request) -> None:
    if not await welcome(request):
        return
    if request.in_dialog:
        request.loose_route()
        request.relay()
    elif request.method == "OPTIONS":
        request.reply(200)
    elif request.method == "REGISTER":
        if auth.require_www_digest(request):
            registrar.save(request)
    else:
        request.record_route()
        request.fork(registrar.lookup(request.ruri))
