from siphon import proxy


@proxy.on_request
def route(request):
    request.set_header("X-Note", "one\r\nX-Evil: yes")
    request.add_header("X-Caller:", f"{request.from_uri}\n")
    request.set_header("Content-Length", 0)
    request.remove_header("Via")
    request.reply(200, "OK\r\n", headers={"X-A": "a\nb"})
