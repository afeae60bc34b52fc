"""What an edge refuses before anything else, counted."""

from siphon import metrics, proxy, timer, log

refused = metrics.counter("edge_refused_total", "Requests this script refused", labels=["why"])
TRUSTED = ["192.0.2.0/24", "2001:db8::/32"]


@proxy.on_request
def route(request):
    if request.in_dialog or request.method == "ACK":
        request.loose_route()
        request.relay()
        return
    if not proxy.sanity_check(request):
        refused.labels({"why": "insane"}).inc()
        return
    if not request.source_ip_in(TRUSTED) and not proxy.rate_limit(request, 10, 50):
        refused.labels({"why": "rate"}).inc()
        return
    request.record_route()
    request.relay()


@timer.every("1m", name="alive")
def alive():
    log.info("still here")
