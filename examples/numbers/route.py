"""Numbers of one's own: calls by outcome, calls up at the moment, how long they take to be answered, and a report."""

import time

from siphon import Reply, Request, log, metrics, proxy, registrar, timer

attempts = metrics.counter("calls_total", "Calls by the class of their final answer", labels=["outcome"])
ringing = metrics.gauge("calls_ringing", "Calls that ring now")
answered = metrics.histogram(
    "calls_answer_seconds", "From INVITE to 200", buckets=[1, 5, 10, 30, 60]
)

started: dict[str, float] = {}


def ended(request: Request, outcome: str) -> None:
    """Counts a call once, whatever ends its ringing first."""
    began = started.pop(request.call_id, None)
    if began is None:
        return
    ringing.dec()
    attempts.labels(outcome=outcome).inc()
    if outcome == "answered":
        answered.observe(time.time() - began)


@proxy.on_request("INVITE")
def call(request: Request) -> None:
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    contacts = registrar.lookup(request.ruri)
    if contacts:
        started[request.call_id] = time.time()
        ringing.inc()
    else:
        attempts.labels(outcome="nobody").inc()
    request.record_route()
    request.fork(contacts)


@proxy.on_reply
def replied(request: Request, reply: Reply) -> None:
    if 200 <= reply.status_code < 300:
        ended(request, "answered")


@proxy.on_failure
def failed(request: Request, reply: Reply) -> None:
    ended(request, "timeout" if reply.status_code == 408 else "refused")


@proxy.on_cancel
def gave_up(request: Request) -> None:
    ended(request, "cancelled")


@timer.every("1m", name="report")
def report() -> None:
    log.info("calls that ring", now=len(started))
