"""Tells a user of the calls that were missed while no phone was registered: by MESSAGE, as soon as one is."""

from siphon import Contact, Request, auth, cache, log, proxy, registrar


@proxy.on_request("REGISTER")
def register(request: Request) -> None:
    if auth.require_www_digest(request):
        registrar.save(request)


@proxy.on_request("INVITE")
async def call(request: Request) -> None:
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    contacts = registrar.lookup(request.ruri)
    if not contacts:
        await cache.list_push("missed", str(request.ruri), str(request.from_uri))
    request.record_route()
    # No contact is 480.
    request.fork(contacts)


@registrar.on_change
async def somebody_came(aor: str, event_type: str, contacts: list[Contact]) -> None:
    if event_type != "registered" or not contacts:
        return
    callers = await cache.list_pop_all("missed", aor)
    if not callers:
        return
    answer = await proxy.send_request(
        "MESSAGE",
        contacts[0],
        headers={"From": "<sip:missed-calls@example.com>", "To": f"<{aor}>", "Content-Type": "text/plain"},
        body="\n".join(callers),
        wait_for_response=True,
        timeout_ms=2000,
    )
    if answer is None or answer.status_code >= 300:
        # Kept for the next time.
        for caller in callers:
            await cache.list_push("missed", aor, caller)
        log.warning("could not tell of missed calls", aor=aor, status=answer and answer.status_code)
