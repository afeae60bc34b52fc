from siphon import metrics, proxy

REFUSED = metrics.counter("refused_total", "Calls refused", labels=["why"])
CALLS = metrics.counter("calls_total", "Calls")


@proxy.on_request
def route(request):
    CALLS.labels(method=request.method).inc()
    if request.max_forwards == 0:
        REFUSED.labels(reason="hops").inc()
        request.reply(483)
        return
    if not proxy.sanity_check(request):
        REFUSED.inc()
        return
    request.relay()
