"""Waits with a time-out that are no sleep: of a queue, an event, a semaphore, a future."""

from __future__ import annotations

import time

import pytest

from siphon_sdk import SipTestHarness

WAITS = {
    "event": "threading.Event().wait(5)",
    "condition": "c = threading.Condition()\n    with c: c.wait(5)",
    "semaphore": "threading.Semaphore(0).acquire(timeout=5)",
    "queue": "try: queue.Queue().get(timeout=5)\n    except queue.Empty: pass",
    "future": "try: concurrent.futures.Future().result(5)\n    except TimeoutError: pass",
}
HEAD = "import concurrent.futures, queue, threading, time\nfrom siphon import proxy\nq = queue.Queue()\n"


@pytest.mark.parametrize("lane", [False, True])
@pytest.mark.parametrize("what", WAITS)
def test_a_wait_with_an_end_takes_virtual_time_only(what: str, lane: bool) -> None:
    first = "time.sleep(1)" if lane else "pass"
    kit = SipTestHarness()
    kit.load_source(f"{HEAD}@proxy.on_request\ndef f(request):\n    {first}\n    {WAITS[what]}\n    request.reply(480)\n")
    began, began_here = kit.now, time.monotonic()
    assert kit.send_request("OPTIONS", "sip:localhost").status_code == 480
    assert 5 + lane <= kit.now - began < 5.1 + lane
    assert time.monotonic() - began_here < 2


TWO = HEAD + """
@proxy.on_request("INFO")
def giving(request):
    q.put(request.call_id)
    request.reply(200)
@proxy.on_request("OPTIONS")
def taking(request):
    time.sleep(0.5)
    try:
        request.reply(200, q.get({timeout}))
    except queue.Empty:
        request.reply(408)
"""


@pytest.mark.parametrize("timeout", ["", "timeout=30"])
def test_another_handler_ends_the_wait(timeout: str) -> None:
    kit = SipTestHarness()
    kit.load_source(TWO.format(timeout=timeout))
    taker = "OPTIONS sip:localhost SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK-1\r\nMax-Forwards: 70\r\n" \
        "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: taker\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    kit._kit.send("udp", ("127.0.0.1", 5080), kit._listener("udp"), taker.encode(), False)
    kit.advance(10)
    assert kit.sent == []
    began = kit.now
    assert kit.send_request("INFO", "sip:localhost", call_id="giver").status_code == 200
    kit.advance(0.1)
    answers = [m for m in kit.sent if m.call_id == "taker"]
    assert [(m.status_code, m.reason) for m in answers] == [(200, "giver")]
    assert kit.now - began < 1


def test_a_thread_of_the_scripts_own_ends_the_wait() -> None:
    kit = SipTestHarness()
    kit.load_source(
        HEAD + "@proxy.on_request\ndef f(request):\n    done = threading.Event()\n    threading.Thread(target=done.set).start()\n"
        "    request.reply(200 if done.wait(5) else 408)\n"
    )
    assert kit.send_request("OPTIONS", "sip:localhost").status_code == 200
