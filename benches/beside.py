"""The script of `siphon-bench --beside`: REGISTER and OPTIONS are served at once; MESSAGE holds the interpreter as
its Request-URI says. INVITE, ACK and BYE have no handler, so calls are routed without Python."""

import re
import time

from siphon import auth, proxy, registrar


@proxy.on_request("REGISTER")
def register(request):
    if auth.require_digest(request, realm="example.com"):
        registrar.save(request)


@proxy.on_request("OPTIONS")
def here(request):
    request.reply(200)


@proxy.on_request("MESSAGE")
def hog(request):
    kind = request.ruri.user
    if kind == "sleep":
        time.sleep(2)
    elif kind == "python":
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            pass
    elif kind == "regex":
        # A second or more in C code that never lets another thread have the interpreter.
        re.match("(a+)+$", "a" * 26 + "b")
    request.reply(200)
