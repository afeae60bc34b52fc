"""What an edge refuses before anything else, counted."""

from siphon import Request, log, metrics, proxy, registrar, timer

refused = metrics.counter("edge_refused_total", "Calls this script refused", labels=["why"])
TRUSTED = ["192.0.2.0/24", "2001:db8::/32"]


@proxy.on_request("INVITE")
def call(request: Request) -> None:
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    if not proxy.sanity_check(request):
        refused.labels(why="insane").inc()
        return
    if not request.source_ip_in(TRUSTED) and not proxy.rate_limit(request, 10, 50):
        refused.labels(why="rate").inc()
        return
    request.record_route()
    request.fork(registrar.lookup(request.ruri))


@timer.every("1m", name="alive")
def alive() -> None:
    log.info("still here")
