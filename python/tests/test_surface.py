"""What `from siphon import ...` says about names that are not there."""

import functools
from pathlib import Path

import pytest

import siphon
from siphon import _surface
from siphon_sdk import check


@pytest.mark.parametrize("name", sorted(set(_surface.NAMESPACES) - set(_surface.BUILT)))
def test_a_namespace_that_is_not_there_says_why(name: str) -> None:
    with pytest.raises(ImportError) as told:
        exec(f"from siphon import {name}")
    roles = _surface.NAMESPACES[name]
    if _surface.PROXY in roles:
        assert str(told.value) == f"'{name}' is not in this version of siphon-proxy"
    else:
        assert str(told.value) == f"'{name}' is not available in siphon-proxy (available in: {', '.join(roles)})"


def test_a_type_that_comes_with_a_namespace_says_what_the_namespace_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siphon._native.role", lambda: "siphon-proxy")
    with pytest.raises(ImportError, match="'Call' is not available in siphon-proxy \\(available in: siphon-sbc\\)"):
        from siphon import Call  # noqa: F401
    assert {"b2bua", "Call"}.isdisjoint(dir(siphon))
    monkeypatch.setattr("siphon._native.role", lambda: "siphon-sbc")
    assert {"b2bua", "Call"} <= set(dir(siphon))
    assert siphon.Call.__name__ == "Call"


def test_a_misspelt_name_is_guessed() -> None:
    with pytest.raises(ImportError, match='siphon has no "proxi"; did you mean "proxy"?'):
        from siphon import proxi  # type: ignore[attr-defined] # noqa: F401
    with pytest.raises(AttributeError, match='proxy has no "on_reqest"; did you mean "on_request"?'):
        siphon.proxy.on_reqest  # type: ignore[attr-defined]


@pytest.mark.parametrize(("of", "name"), [(of, name) for of, names in _surface.ABSENT.items() for name in names])
def test_what_is_left_out_has_its_reason(of: str, name: str, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    if of == "names":
        with pytest.raises(ImportError) as told:
            exec(f"from siphon import {name}")
        script.write_text(f"from siphon import {name}\n")
        sentence = f"'{name}' is not in this version: {_surface.ABSENT[of][name]}"
        assert str(told.value) == sentence
    elif of in _surface.TYPES:
        # Types are not asked by name: the check knows them.
        script.write_text(f"from siphon import {of}\n\n\ndef f(it: {of}):\n    it.{name}\n")
        sentence = f"it.{name} is not in this version: {_surface.ABSENT[of][name]}"
    else:
        namespace, *inner = of.split(".")
        with pytest.raises(AttributeError) as missing:
            getattr(functools.reduce(getattr, inner, getattr(siphon, namespace)), name)
        script.write_text(f"from siphon import {namespace}\n\n{of}.{name}\n")
        sentence = f"{of}.{name} is not in this version: {_surface.ABSENT[of][name]}"
        assert str(missing.value) == sentence
    assert sentence in [problem.message for problem in check(script)]


def test_the_other_half_of_a_role_is_refused_to_a_role_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siphon._native.role", lambda: "siphon-icscf")
    assert siphon.proxy is not None
    with pytest.raises(ImportError, match="'registrar' is not available in siphon-icscf"):
        from siphon import registrar  # noqa: F401
