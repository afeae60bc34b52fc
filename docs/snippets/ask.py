"""Asks another server before it decides; the call waits, the shard does not."""

from siphon import Request, log, proxy, registrar


@proxy.on_request("INVITE")
async def call(request: Request) -> None:
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    answer = await proxy.send_request(
        "OPTIONS", "sip:screening@192.0.2.40", headers={"X-Caller": request.from_uri.user or ""},
        wait_for_response=True, timeout_ms=500,
    )
    if answer is None:
        log.warning("the screening server is silent: the call goes on")
    elif answer.status_code >= 300:
        request.reply(603)
        return
    request.record_route()
    request.fork(registrar.lookup(request.ruri))
