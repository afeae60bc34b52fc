"""Fixtures for tests of scripts, and what pytest shows when one fails: the SIP ladder, the log, the header that differs.

    @pytest.mark.siphon(script="route.py", users={"alice": "secret"})
    def test_options(harness):
        assert harness.send_request("OPTIONS", "sip:example.com", is_local=True).replied_with == (200, "OK")

Loaded by pytest itself once the wheel is installed.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .harness import SipTestHarness

_Starts = list[tuple["SipTestHarness", int, int]]

_STARTS: pytest.StashKey[_Starts] = pytest.StashKey()

# The whole texts of the two messages that were compared last; pytest cuts what an assertion shows.
_compared: list[tuple[str, str]] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the `harness` fixture takes when its marker does not say."""
    parser.addini("siphon_script", "script of the `harness` fixture, relative to the root directory", default="")
    parser.addini("siphon_config", "YAML of the `harness` fixture, relative to the root directory", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Makes the marker known."""
    line = "siphon(script=None, config=None, users=None, ...): what the `harness` fixture is made with"
    config.addinivalue_line("markers", line)


# ---- fixtures -------------------------------------------------------------------------------------------------------


@pytest.fixture
def siphon(request: pytest.FixtureRequest) -> Iterator[Callable[..., SipTestHarness]]:
    """Makes harnesses, as `SipTestHarness` does, and closes them behind the test. A relative `script` or `config` counts
    from the test's own directory, else from the root directory."""
    from .harness import SipTestHarness

    made = contextlib.ExitStack()

    def make(script: Any = None, **given: Any) -> SipTestHarness:
        if script is not None:
            script = _place(request, script)
        config = given.get("config")
        if isinstance(config, Path) or (isinstance(config, str) and config.endswith((".yaml", ".yml"))):
            given["config"] = _place(request, config)
        harness = SipTestHarness(script, **given)
        made.callback(harness.close)
        starts = request.node.stash.get(_STARTS, None)
        if starts is not None:
            starts.append((harness, 1, 0))
        return harness

    with made:
        yield make


@pytest.fixture
def harness(request: pytest.FixtureRequest, siphon: Callable[..., SipTestHarness]) -> SipTestHarness:
    """A harness as the test's `siphon` marker says: `@pytest.mark.siphon(script="route.py", config={...})`."""
    marker = request.node.get_closest_marker("siphon")
    given: dict[str, Any] = dict(marker.kwargs) if marker is not None else {}
    if marker is not None and marker.args:
        given.setdefault("script", marker.args[0])
    for key in ("script", "config"):
        default = str(request.config.getini(f"siphon_{key}"))
        if default and key not in given:
            given[key] = request.config.rootpath / default
    return siphon(given.pop("script", None), **given)


def _place(request: pytest.FixtureRequest, path: Any) -> Path:
    beside: Path = request.path.parent / path
    root: Path = request.config.rootpath
    return beside if beside.exists() else root / path


# ---- what is shown when a test fails --------------------------------------------------------------------------------


def _alive() -> list[SipTestHarness]:
    module = sys.modules.get("siphon_sdk.harness")
    return [] if module is None else list(module.alive)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Notes where the harnesses stand that live longer than one test."""
    _compared.clear()
    item.stash[_STARTS] = [(harness, *harness.position()) for harness in _alive()]


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Adds ladder and log of the test to the report of a failure."""
    report = (yield).get_result()
    if report.when != "call" or not report.failed:
        return
    known = {id(harness) for harness, _, _ in item.stash.get(_STARTS, [])}
    starts = item.stash.get(_STARTS, []) + [(h, 1, 0) for h in _alive() if id(h) not in known]
    for harness, wire, log in starts:
        ladder, lines = harness.since(wire, log)
        if ladder:
            report.sections.append(("SIP ladder", ladder))
        if lines:
            report.sections.append(("siphon log", lines))
    if call.excinfo is not None and call.excinfo.errisinstance(AssertionError):
        report.sections.extend(_compared)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Marks the header fields in which two messages differ."""
    module = sys.modules.get("siphon_sdk.message")
    if op != "==" or module is None:
        return None
    if not (isinstance(left, module.Message) and isinstance(right, module.Message)):
        return None
    _compared[:] = [("left message", str(left)), ("right message", str(right))]
    return [f"{left!r} == {right!r}", *module.differences(left, right)]
