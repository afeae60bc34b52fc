"""Asks what is there before it uses it."""

import contextlib

import siphon
from siphon import log, proxy

try:
    from siphon import gateway
except ImportError:
    gateway = None

with contextlib.suppress(ImportError):
    from siphon import cdr

try:
    import a_module_that_is_nowhere as fast
except ModuleNotFoundError:
    import json as fast


@proxy.on_request
def route(request):
    if hasattr(request, "tenant"):
        log.info("tenant", tenant=request.tenant)
    try:
        user = request.nickname
    except AttributeError:
        user = getattr(request, "auth_user", None)
    if gateway is not None:
        request.relay(gateway.select("trunks"))
        return
    log.info("plain", user=user, has=hasattr(siphon, "lcr"), json=fast.dumps([1]))
    request.relay()
