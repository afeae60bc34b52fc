from helpers import policy
from helpers.policy import allwed
from siphon import proxy


@proxy.on_request
async def route(request):
    policy.screened(request)
    if allwed(request):
        request.relay()
    else:
        request.drop()
