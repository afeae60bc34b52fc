"""Every public name says what it is, and stubs and pages repeat it. UPDATE_REFERENCE=1 writes them anew."""

import ast
import os
from pathlib import Path

import pytest

import kit_reference
import reference
import siphon
import siphon_sdk
from siphon import _native, _surface

UPDATE = os.environ.get("UPDATE_REFERENCE") == "1"


def held(path: Path, wanted: str) -> None:
    if UPDATE:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted)
    there = path.read_text() if path.exists() else ""
    assert there == wanted, f"{path.relative_to(reference.TOP)} is out of date: run with UPDATE_REFERENCE=1"


def test_the_stubs_have_the_texts_of_the_module() -> None:
    held(reference.STUBS, reference.stubs(reference.STUBS.read_text()))


def test_the_reference_pages_are_made_from_the_package() -> None:
    pages = reference.pages()
    for name, text in pages.items():
        held(reference.PAGES / name, text)
    assert {p.name for p in reference.PAGES.iterdir() if p.is_file()} == set(pages)


def test_the_reference_pages_of_the_kit_are_made_from_its_source() -> None:
    pages = kit_reference.pages()
    for name, text in pages.items():
        held(kit_reference.KIT / name, text)
    assert {p.name for p in kit_reference.KIT.iterdir()} == set(pages)


def test_every_public_name_of_the_kit_has_a_text_and_an_entry() -> None:
    known = kit_reference.definitions()
    assert set(siphon_sdk.__all__) == {*known, *(name for names in kit_reference.ALIASES.values() for name in names)}
    assert all(getattr(siphon_sdk, name) is not None for name in siphon_sdk.__all__)
    for name, node in known.items():
        assert len(ast.get_docstring(node) or "") > 10, f"{name} says nothing about itself"
        if isinstance(node, ast.ClassDef):
            for member in kit_reference.members(node):
                assert len(member.text) > 5, f"{name}.{member.name} says nothing about itself"


def test_what_the_kit_gives_has_a_page_too() -> None:
    known = kit_reference.definitions()
    source = reference.TOP / "python/siphon_sdk"
    classes = {
        node.name
        for path in source.rglob("*.py")
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    }
    given = {kind for n in known.values() if isinstance(n, ast.ClassDef) for m in kit_reference.members(n) for kind in m.kinds}
    assert given & classes - set(known) == set()


def test_every_public_name_has_a_text_and_an_entry() -> None:
    pages = reference.pages()
    for name in siphon.__all__:
        # Where a type has the name of a namespace, in another case, one page has both.
        own = pages.get(f"{name}.md") or pages.get(f"{name.lower()}.md") or pages["exceptions.md"]
        assert f"# `{name}`\n" in own, name
    for path, _ in reference.named(ast.parse(reference.STUBS.read_text())):
        assert len(reference.text_of(path)) > 10, f"{path} says nothing about itself"


@pytest.mark.parametrize("name", _surface.BUILT)
def test_a_namespace_is_an_attribute_of_the_module(name: str) -> None:
    assert getattr(siphon, name) is getattr(_native, name)
