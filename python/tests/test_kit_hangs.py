"""A handler that waits for something that no pretended network brings: the test ends, and says where."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from siphon_sdk import SipTestHarness
from siphon_sdk._world import watch
from siphon_sdk._world.errors import HandlerHangs

# What a handler waits for.
HANGS = {
    "a_lock": "threading.Lock().acquire(); lock.acquire()",
    "a_thread": "t = threading.Thread(target=lock.acquire, daemon=True)\n    t.start(); t.join()",
    "a_loop": "while True: pass",
    "a_retry_loop": "while True:\n        try: lock.acquire()\n        except Exception: pass",
}
SCRIPT = """
import threading, time
from siphon import proxy
lock = threading.Lock()
lock.acquire()
@proxy.on_request
def route(request):
    {before}
    {hang}
    request.reply(200)
"""


def harness(hang: str, lane: bool) -> SipTestHarness:
    """One that runs its handler on the kit's own thread or, since it sleeps, in the lane."""
    kit = SipTestHarness()
    kit.load_source(SCRIPT.format(before="time.sleep(0.01)" if lane else "pass", hang=hang))
    return kit


@pytest.fixture(autouse=True)
def sigint() -> Iterator[None]:
    # pytest in the background of a shell begins with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_handler_that_hangs_is_named_where_the_shell_has_control_c_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    test_a_handler_that_hangs_is_named("a_lock", False, monkeypatch)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.mark.parametrize("lane", [False, True])
@pytest.mark.parametrize("what", HANGS)
def test_a_handler_that_hangs_is_named(what: str, lane: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "PATIENCE", 0.4)
    if watch._Dog._one is not None:
        watch._Dog._one.leave()
    with harness(HANGS[what], lane) as kit:
        with pytest.raises(HandlerHangs, match=r"handler route \(<test>:\d+\) waits for something outside the network"):
            kit.send_request("OPTIONS", "sip:localhost")


@pytest.mark.parametrize("lane", [False, True])
@pytest.mark.parametrize("what", HANGS)
def test_control_c_ends_a_handler_that_hangs(what: str, lane: bool) -> None:
    main = threading.get_ident()
    began = time.monotonic()
    with harness(HANGS[what], lane) as kit:
        timer = threading.Timer(0.3, lambda: signal.pthread_kill(main, signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            kit.send_request("OPTIONS", "sip:localhost")
        timer.join()
    assert time.monotonic() - began < 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
