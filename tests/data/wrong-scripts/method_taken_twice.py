from siphon import log, proxy


@proxy.on_request("INVITE|SUBSCRIBE")
def calls(request):
    request.relay()


@proxy.on_request("MESSAGE|INVITE")
def texts(request):
    request.relay()


@proxy.on_failure
def failed(request, reply):
    log.info("failed")


@proxy.on_failure
def failed_again(request, reply):
    log.info("failed again")
