import siphon
from siphon import proxy as p


@p.on_request
def route(request):
    siphon.registrr.save(request)
