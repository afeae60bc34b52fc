"""The roles of this version, and which one a script is for."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from siphon import _surface
from siphon_sdk import SipTestHarness, _engine, _setup, check

OTHER = "siphon-none"


def test_every_role_of_the_engine_is_one_of_the_surface_and_has_its_files() -> None:
    assert set(_engine.roles()) <= set(_surface.ROLES)
    for role in _engine.roles():
        script, yaml = _engine.embedded(role)
        assert "from siphon import" in script and "listen:" in yaml


def test_every_role_is_a_command_of_the_wheel() -> None:
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    installed = {point.name for point in entry_points(group="console_scripts")}
    for role in _engine.roles():
        assert role in installed or f'{role} = "siphon_sdk._roles:' in text


@pytest.mark.parametrize("ask", [lambda: SipTestHarness(role=OTHER).now, lambda: check("x.py", OTHER), lambda: _engine.embedded(OTHER)])
def test_a_role_that_is_not_there_is_told_with_those_that_are(ask: object) -> None:
    assert callable(ask)
    with pytest.raises(ValueError, match=f'this version has no role "{OTHER}"; it has: siphon-proxy'):
        ask()


@pytest.mark.parametrize(
    ("script", "role"),
    [
        ("from siphon import proxy, registrar", _surface.PROXY),
        ("from siphon import b2bua, proxy", _surface.SBC),
        # A type comes with its namespace.
        ("from siphon import Call, proxy", _surface.SBC),
        # No role of them has it: the import says which would.
        ("from siphon import scscf", _surface.PROXY),
        ("no python", _surface.PROXY),
    ],
)
def test_a_script_is_for_the_smallest_role_that_has_its_names(
    script: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_setup, "ROLES", (_surface.PROXY, _surface.SBC))
    assert _setup.smallest_role(script) == role


def test_the_smallest_role_comes_first() -> None:
    counted = [sum(role in offering for offering in _surface.NAMESPACES.values()) for role in _setup.ROLES]
    assert counted == sorted(counted) and set(_setup.ROLES) == set(_engine.roles())
