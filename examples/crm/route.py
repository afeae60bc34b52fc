"""Asks a web service who is calling, over HTTP, while the shard serves others.

The service answers {"name": "Bob's Bakery", "blocked": false}, or 404 for a number that it does not know. When it is slow
or down, the call goes on without a name: a lookup is no reason to lose calls.
"""

import httpx

from siphon import Request, log, proxy, registrar

SERVICE = "https://crm.example.com/callers"
PATIENCE_SECS = 0.5


async def who_calls(number: str) -> dict[str, object]:
    try:
        async with httpx.AsyncClient(timeout=PATIENCE_SECS) as client:
            answer = await client.get(SERVICE, params={"number": number})
            if answer.status_code == 200:
                return dict(answer.json())
            if answer.status_code != 404:
                log.warning("the directory is in trouble", status=answer.status_code)
    except (httpx.HTTPError, ValueError) as error:
        log.warning("the directory does not answer", error=type(error).__name__)
    return {}


@proxy.on_request("INVITE")
async def call(request: Request) -> None:
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    caller = await who_calls(request.from_uri.user or "")
    if caller.get("blocked"):
        request.reply(603)
        return
    if name := caller.get("name"):
        request.set_header("Call-Info", f"<{SERVICE}/{request.from_uri.user}>;purpose=info")
        request.set_header("X-Caller-Name", str(name))
    request.record_route()
    request.fork(registrar.lookup(request.ruri))
