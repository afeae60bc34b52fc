from siphon import proxy

if False:

    @proxy.on_request("OPTIONS")
    def ping(request):
        request.reply(200)


if __name__ == "__main__":

    @proxy.on_request
    def route(request):
        request.relay()
