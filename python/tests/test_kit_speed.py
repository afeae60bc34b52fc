"""A thousand tests in seconds."""

import threading
import time
from pathlib import Path

from siphon_sdk import SipTestHarness

SEED = Path(__file__).parents[2] / "tests/seed/scripts/proxy_default.py"
RUNS = 1000


def test_a_thousand_harnesses_each_with_a_registration_take_seconds_and_no_thread() -> None:
    before = threading.active_count()
    began = time.process_time()
    for _ in range(RUNS):
        with SipTestHarness(SEED, users={"bob": "secret"}, domains=["example.com"]) as harness:
            assert harness.send_request("OPTIONS", "sip:example.com").replied_with == (200, "OK")
            final = harness.ua("bob").register()
            assert final is not None and final.status_code == 200
    took = time.process_time() - began
    print(f"{RUNS} harnesses with OPTIONS and a registration: {took:.2f} s of processor time")
    assert threading.active_count() == before
    assert took < 20
