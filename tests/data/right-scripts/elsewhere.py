"""Decides in helpers, closures, tables and wrapped functions, where the checker cannot follow and says nothing."""

import functools

from siphon import auth, log, proxy, registrar

TRUNKS = {"gold": "sip:192.0.2.10", "blue": "sip:192.0.2.11"}


def traced(function):
    @functools.wraps(function)
    def inner(request):
        log.info("asked", method=request.method)
        return function(request, TRUNKS)

    return inner


def refuse(request, code=403, **more):
    request.reply(code, **more)


class Tables:
    def __init__(self):
        self.verbs = {"OPTIONS": self.ping}

    def ping(self, request):
        request.reply(200)

    def run(self, request):
        verb = self.verbs.get(request.method, refuse)
        verb(request)


TABLES = Tables()


@proxy.on_request("OPTIONS|INFO")
def table(request):
    TABLES.run(request)


@proxy.on_request("INVITE")
@traced
def call(request, trunks):
    request.relay(trunks[request.auth_user or "gold"])


@proxy.on_request("MESSAGE")
def message(request):
    def answer(code):
        request.reply(code)

    if not auth.require_digest(request):
        return
    answer(200)


@proxy.on_request("SUBSCRIBE")
def subscribe(request):
    say = request.reply
    if request.event == "presence":
        say(489)
        return
    say(200)


@proxy.on_request("REGISTER")
def register(request):
    if not proxy.sanity_check(request):
        return
    if registrar.save(request):
        request.reply(200, "OK", headers={"X-Node": "1"})


@proxy.on_request("NOTIFY|PUBLISH|REFER")
def others(request):
    match request.method:
        case "NOTIFY":
            request.relay()
        case "REFER" if request.in_dialog:
            request.loose_route()
            request.relay()
        case _:
            raise ValueError("never seen")


@proxy.on_request("UPDATE")
def update(request):
    for trunk in TRUNKS.values():
        if request.source_ip in trunk:
            request.relay(trunk)
            break
    else:
        request.reply(481)


@proxy.on_request("PRACK")
def prack(request):
    done = False
    while True:
        if done:
            return
        request.relay()
        done = True


@proxy.on_failure
def failed(request, reply, *, trunks=tuple(TRUNKS)):
    try:
        request.relay("sip:192.0.2.12")
    except ValueError:
        request.reply(503)
    finally:
        log.info("failed", status=reply.status_code, trunks=trunks)
