from siphon import proxy


@proxy.on_request
async def route(request):
    answer = proxy.send_request("OPTIONS", "sip:192.0.2.40", wait_for_response=True)
    if answer.status_code == 200:
        request.relay("sip:192.0.2.40")
    else:
        request.reply(503)
