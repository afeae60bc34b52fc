from . import numbers_of_ours
from siphon import proxy


@proxy.on_request
def route(request):
    numbers_of_ours.rewrite(request)
    request.relay()
