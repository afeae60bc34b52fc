"""What a test gets that spells something wrong, and how the kit's objects show themselves."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import pytest

from siphon_sdk import SipTestHarness


def test_a_metric_that_does_not_exist_is_told_with_near_names() -> None:
    with SipTestHarness() as kit:
        kit.send_request("OPTIONS", "sip:localhost")
        assert kit.metrics["siphon_requests_total"] == 1
        assert kit.metrics.value("siphon_requests_total", method="NEVER") == 0
        with pytest.raises(KeyError, match="siphon_requests_total"):
            kit.metrics["siphon_request_total"]


@pytest.mark.parametrize(
    ("given", "error", "text"),
    [
        ({"shards": 0}, ValueError, "shards is 0"),
        ({"seed": -1}, ValueError, "seed is -1"),
        ({"config": "nofile.yaml"}, FileNotFoundError, "nofile.yaml: cannot read it: no such file"),
        ({"config": Path("/")}, ValueError, "/: cannot read it"),
    ],
)
def test_what_a_harness_cannot_be_made_of_is_said(given: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        SipTestHarness(**given)


@pytest.mark.parametrize("address", ["1.2.3.4", "2001:db8::1", "1.2.3.4:sip", "1.2.3.4:70000"])
def test_an_address_without_a_port_is_told(address: str) -> None:
    with SipTestHarness() as kit, pytest.raises(ValueError, match="is no address with a port"):
        kit.ua("alice", address=address)


@pytest.mark.parametrize("headers", [{"X": "a\r\nb"}, {"X": "a\nb"}, {"X": "a\r"}, {"X\r\nY": "a"}, {"": "a"}])
def test_a_header_field_that_is_two_lines_is_refused(headers: dict[str, str]) -> None:
    with SipTestHarness() as kit:
        with pytest.raises(ValueError, match="a header field is one line"):
            kit.send_request("OPTIONS", headers=headers)
        with pytest.raises(ValueError, match="a header field is one line"):
            kit.ua("alice").request("OPTIONS", "bob", headers=headers)
        assert kit.send_request("OPTIONS", "sip:localhost", headers={"X": "a\r\n b"}).request["X"] == "a b"


def test_what_a_harness_holds_shows_itself() -> None:
    with SipTestHarness(seed=7) as kit:
        kit.send_request("OPTIONS", "sip:localhost")
        assert "seed 7" in repr(kit) and "2 messages" in repr(kit)
        shown = [repr(each) for each in (kit.metrics, kit.registrar, kit.dns, kit.http)]
    assert not [text for text in shown if " object at " in text], shown


ASYNC_SCRIPT = """
import time
from siphon import proxy
@proxy.on_request
async def route(request):
    request.relay()
@proxy.on_reply
def reply(request, reply):
    time.sleep(1)
    reply.relay()
"""


@pytest.mark.parametrize("ending", ["closed", "dropped", "killed", "reused"])
def test_a_harness_that_is_done_leaves_nothing_of_its_node(ending: str) -> None:
    kit = SipTestHarness()
    kit.load_source(ASYNC_SCRIPT)
    kit.dns.add("example.org", "192.0.2.7")
    kit.send_request("OPTIONS", "sip:bob@example.org")
    left = [weakref.ref(kit._world)]
    if ending == "killed":
        kit.restart()
        assert kit._world.net.resolver is not None and list(kit._world.net.resolver("example.org")) == ["192.0.2.7"]
    if ending == "reused":
        kit.close()
        kit.send_request("OPTIONS", "sip:localhost")
        left.append(weakref.ref(kit._world))
        gc.collect()
        assert left[0]() is None
    if ending != "dropped":
        kit.close()
    del kit
    # The first one closes a harness that was dropped; what held its world is garbage from then on.
    gc.collect()
    gc.collect()
    assert [world() for world in left] == [None] * len(left)
