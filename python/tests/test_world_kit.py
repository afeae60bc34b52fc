"""Handlers that wait, in the whole kit: what a peer sees while they do."""

from __future__ import annotations

import pytest
from siphon_sdk import SipTestHarness
from siphon_sdk.agent import Call

WAITS = {
    "sync-sleep": ("def", "time.sleep(5)"),
    "sync-http": ("def", "requests.get('http://slow.example/', timeout=60)"),
    "async-sleep": ("async def", "await asyncio.sleep(5)"),
    "async-timer": ("async def", "await timer.sleep(5)"),
    "async-thread": ("async def", "await asyncio.to_thread(time.sleep, 5)"),
    "async-http": ("async def", "async with httpx.AsyncClient(timeout=60) as c: await c.get('http://slow.example/')"),
}


def kit_with(how: str, after: str, shards: int = 1) -> SipTestHarness:
    kind, wait = WAITS[how]
    # A name that is not used would not be looked at; one that is decides how the handler runs.
    imports = [name for name in ("asyncio", "time", "requests", "httpx") if f"{name}." in wait]
    body = "\n".join(f"    {line}" for line in (f'log.info("begins")\n{wait}\n{after}').splitlines())
    kit = SipTestHarness(shards=shards, domains=["example.com"])
    kit.load_source(
        "\n".join(f"import {name}" for name in imports)
        + "\nfrom siphon import TransactionEnded, log, proxy, timer\n"
        + f"@proxy.on_request\n{kind} handler(request):\n{body}\n"
    )
    kit.http.add("GET", "http://slow.example/", delay=5)
    return kit


@pytest.mark.parametrize("how", WAITS)
@pytest.mark.parametrize("shards", [1, 3])
def test_the_answer_comes_when_the_wait_is_over_and_only_once(how: str, shards: int) -> None:
    with kit_with(how, "request.reply(486)", shards) as kit:
        began = kit.now
        result = kit.send_request("INVITE", "sip:bob@example.com")
        assert result.replied_with is not None and result.replied_with[0] == 486
        assert 5 <= kit.now - began < 5.5
        # Meanwhile the caller was told that somebody is at it, and its repetitions changed nothing.
        assert [line.text for line in kit.log].count("begins") == 1


@pytest.mark.parametrize("how", WAITS)
def test_a_cancel_finds_the_handler_waiting(how: str) -> None:
    with kit_with(how, "request.reply(486)") as kit:
        alice = kit.ua("alice")
        # `alice.invite` would wait for the answer.
        call = Call(alice, alice._kit.call(alice._host, "sip:bob@example.com", "", ""))
        kit.advance(1)
        assert call.state == "proceeding"
        call.cancel()
        assert call.status_code == 487
        kit.advance(10)
        assert call.status_code == 487
        kit.run_until_idle()
        assert kit.open_transactions == 0


def test_the_same_seed_gives_the_same_messages_and_another_one_does_not() -> None:
    script = """
import asyncio, random, uuid
from siphon import proxy

@proxy.on_request
async def handler(request):
    await asyncio.gather(*(asyncio.sleep(random.random()) for _ in range(5)))
    request.reply(200, headers={"X-Id": str(uuid.uuid4())})
"""

    def play(seed: int) -> list[str]:
        with SipTestHarness(seed=seed) as kit:
            kit.load_source(script)
            for _ in range(3):
                kit.send_request("OPTIONS", "sip:example.com")
            return [str(message) for message in kit.messages]

    first = play(1)
    assert first == play(1)
    assert first != play(2)


def test_what_a_script_reached_for_is_listed() -> None:
    with kit_with("sync-sleep", "import socket\nsocket.create_connection(('crm.example', 5432))") as kit:
        result = kit.send_request("OPTIONS", "sip:example.com")
        assert result.replied_with is not None and result.replied_with[0] == 500
        (sentence,) = kit._world.net.refused
        assert "crm.example:5432" in sentence and "allow_network" in sentence
