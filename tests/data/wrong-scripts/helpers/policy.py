"""A module beside a script, with faults of its own."""

from siphon import Request, cache


async def screened(request: Request) -> bool:
    known = await cache.fetch("known", request.source_ip)
    return known is not None and request.from_uri.usr is None


def allowed(request: Request) -> bool:
    return request.source_prt > 1024
