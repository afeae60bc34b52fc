import subprocess
import time

from siphon import proxy


@proxy.on_request
async def route(request):
    time.sleep(0.2)
    subprocess.run(["true"])
    request.relay()
