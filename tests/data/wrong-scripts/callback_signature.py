from siphon import log, proxy, timer


def to_second(request):
    request.relay("sip:192.0.2.11")


def later(request):
    log.info("later")


@proxy.on_request
def route(request):
    timer.set("later", "5s", later)
    request.relay("sip:192.0.2.10", on_failure=to_second)
