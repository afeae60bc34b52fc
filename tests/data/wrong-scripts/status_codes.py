from siphon import proxy


@proxy.on_request
def route(request):
    if request.method == "OPTIONS":
        request.reply(99)
    elif request.method == "MESSAGE":
        request.reply("202")
    elif request.method == "INFO":
        request.reply(1000, "Too High")
    else:
        request.reply(183)


@proxy.on_reply
def seen(request, reply):
    if reply.status_code == 183:
        reply.reject(200)
