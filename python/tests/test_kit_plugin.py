"""The pytest plugin: fixtures, and what a failed test shows."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

SCRIPT = "from siphon import proxy, log\n@proxy.on_request\ndef route(request):\n    log.info('asked')\n    request.reply(403)\n"


def test_the_harness_fixture_is_made_as_the_marker_says(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(**{"tests/route": SCRIPT})
    pytester.makepyfile(
        **{
            "tests/test_route": """
import pytest

@pytest.mark.siphon(script="route.py", domains=["example.com"])
def test_by_marker(harness):
    assert harness.send_request("OPTIONS", "sip:example.com").status_code == 403

def test_by_factory(siphon):
    assert siphon("route.py", shards=2).send_request("OPTIONS", "sip:localhost").status_code == 403
"""
        }
    )
    pytester.runpytest_subprocess("--strict-markers").assert_outcomes(passed=2)


def test_a_failed_test_shows_its_ladder_and_log(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(route=SCRIPT)
    pytester.makepyfile(
        test_route="""
from siphon_sdk import SipTestHarness

harness = SipTestHarness("route.py")

def test_before():
    harness.send_request("INFO", "sip:localhost")

def test_options():
    assert harness.send_request("OPTIONS", "sip:localhost").status_code == 200
"""
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    shown = result.stdout.str()
    assert "SIP ladder" in shown and "OPTIONS sip:localhost" in shown and "403 OPTIONS" in shown
    assert "siphon log" in shown and "info: asked" in shown
    # What another test sent through the same harness is not this test's.
    assert "INFO sip:localhost" not in shown


def test_the_header_in_which_two_messages_differ_is_marked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_messages="""
from siphon_sdk import Message

LEFT = b"SIP/2.0 200 OK\\r\\nTo: <sip:bob@example.com>;tag=1\\r\\nCall-ID: x\\r\\n\\r\\n"

def test_equal():
    assert Message(LEFT) == Message(LEFT.replace(b"tag=1", b"tag=2"))
"""
    )
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines(["*> - To: <sip:bob@example.com>;tag=1", "*> + To: <sip:bob@example.com>;tag=2"])
    result.stdout.no_fnmatch_line("*> ? Call-ID*")


def test_the_marked_lines_come_first_and_the_whole_text_below(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_messages="""
from siphon_sdk import Message

MANY = b"".join(b"X-%d: same\\r\\n" % n for n in range(12))
LEFT = b"SIP/2.0 200 OK\\r\\n" + MANY + b"To: <sip:bob@example.com>;tag=1\\r\\n\\r\\n"

def test_equal():
    assert Message(LEFT) == Message(LEFT.replace(b"tag=1", b"tag=2"))
"""
    )
    result = pytester.runpytest_subprocess()
    result.stdout.fnmatch_lines(["*> + To: <sip:bob@example.com>;tag=2", "* 12 header fields equal", "*right message*", "X-11: same"])


def test_the_example_of_the_readme_runs(pytester: pytest.Pytester) -> None:
    page = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    (block,) = [part.split("```")[0] for part in page.split("```python\n")[1:]]
    pytester.makepyfile(test_readme=block)
    pytester.runpytest_subprocess().assert_outcomes(passed=2)
