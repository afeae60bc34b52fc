"""Values of many kinds, given as the signatures allow."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import siphon
from siphon import SipUri, log, metrics, proxy as p, registrar as r, timer

if TYPE_CHECKING:
    from siphon import Call, Contact, Request

COUNTER = metrics.counter("calls_total", "Calls", labels=["kind"])
LEFT = metrics.gauge("left", "What is left")


@p.on_request()
def route(request: Request) -> None:
    uri = SipUri("sip:bob@example.com;transport=tcp")
    target: Contact | SipUri | str = uri
    contacts = None
    if request.ruri == "sip:bob@example.com" or request.ruri.host in ("a", "b"):
        contacts = r.lookup(str(request.ruri))
    if contacts:
        target = contacts[0]
    options = {"timeout": timedelta(seconds=5)}
    COUNTER.labels(kind=request.method.lower()).inc()
    LEFT.set(len(contacts or []))
    if request.transport in ("udp", "tcp") and request.cseq == 1 and request.body == b"x":
        request.set_header("X-Count", 5)
        request.set_header("X-Line", f"{uri.user}@{uri.host}")
        request.auth_user = None
    if request.max_forwards is not None and request.max_forwards < 5:
        request.reply(code=483, reason=None, body="multi\nline", content_type="text/plain")
    elif any(c.expires > 5 for c in contacts or ()) and [c for c in r.lookup(uri) if c.flow and c.flow.is_alive]:
        request.fork(tuple(contacts or ()), strategy="q", **options)
    elif request.source_ip_in("192.0.2.0/24"):
        request.force_send_via("tcp", "192.0.2.1:5060")
        request.relay(flow=request.flow)
    else:
        request.relay(target, timeout="1.5s", on_failure=lambda request, reply: request.reply(reply.status_code))


@p.on_reply
def seen(request, reply, note="seen"):
    request = None
    if reply.body is not None and b"x" in reply.body:
        log.info(note, octets=len(reply.body), request=request)
    if reply.status_code == 183:
        reply.drop()


@r.on_change
def changed(aor, event_type, contacts):
    for contact in contacts:
        log.info(aor.upper(), event=event_type, uri=contact.uri.user, q=contact.q)


def once():
    log.info("once")


timer.set("once", 1500, once)
siphon.timer.set("again", timedelta(hours=1), lambda: log.info("again"))


@p.on_failure
async def again(request, reply):
    request.set_header("X-Again", "yes")
    request.relay("sip:192.0.2.12")
    request.set_header("X-More", "it has not left")
    await timer.sleep(1)
    request.set_reply_header("X-Late", "allowed")
