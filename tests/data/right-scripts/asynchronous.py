"""Awaits in async handlers, and gets values in plain ones."""

import asyncio
import time

from siphon import Request, cache, log, proxy, registrar, timer


async def cnam(request: Request) -> str | None:
    return await cache.fetch("cnam", request.from_uri.user or "")


async def background(n):
    await asyncio.sleep(n)


@proxy.on_request("INVITE")
async def call(request):
    task = asyncio.create_task(background(1))
    name, _ = await asyncio.gather(cnam(request), timer.sleep("10ms"))
    if name:
        request.set_from_display(name)
    pending = cache.exists("blocked", request.source_ip)
    if await pending:
        request.reply(403)
        return
    answer = await proxy.send_request("OPTIONS", "sip:192.0.2.40", wait_for_response=True)
    if answer and answer.status_code == 200 and (await cache.list_len("l", "k") or 0) > 1:
        request.relay("sip:192.0.2.40")
        return
    proxy.send_request("MESSAGE", "sip:192.0.2.41", body="missed")
    task.cancel()
    contacts = registrar.lookup(request.ruri)
    request.fork([c.uri for c in sorted(contacts, key=lambda c: c.q)] or ["sip:mailbox@192.0.2.30"])


@proxy.on_request("MESSAGE")
def text(request):
    if cache.exists("blocked", request.source_ip):
        request.reply(403)
        return
    name = cache.fetch("cnam", "1")
    if name and name.startswith("A"):
        request.set_header("X-Name", name.upper())
    time.sleep(0.001)
    cache.store("seen", request.call_id, "1", ttl="5m")
    request.relay()


@timer.every("1m", jitter=5)
async def tick():
    count = await registrar.aor_count()
    if count > 1000:
        log.warning("many", count=count)
