"""`siphon_sdk.check` says about a script what `siphon-proxy --check` says."""

from pathlib import Path

import pytest

from siphon_sdk import Problem, check

DATA = Path(__file__).parents[2] / "tests/data"


def test_each_finding_has_its_place_and_its_severity() -> None:
    script = DATA / "wrong-scripts/path_decides_nothing.py"
    found = check(script)
    assert [(p.file, p.line, p.column, p.severity) for p in found] == [
        (str(script), 8, 9, "warning"),
        (str(script), 12, 9, "warning"),
    ]
    assert str(found[0]).startswith(f"{script}:8:9: warning: nothing is decided before this return")


@pytest.mark.parametrize("script", sorted((DATA / "wrong-scripts").glob("*.py")), ids=lambda path: path.stem)
def test_every_wrong_script_is_found_fault_with(script: Path) -> None:
    found = check(script)
    assert found != [] and not any("could not be looked through" in problem.message for problem in found)


@pytest.mark.parametrize("script", sorted((DATA / "right-scripts").glob("*.py")), ids=lambda path: path.stem)
def test_nothing_is_said_about_scripts_that_are_right(script: Path) -> None:
    assert check(script) == []


def test_modules_of_other_folders_are_looked_through(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/trunks.py").write_text("from siphon import proxy\n\nproxy.on_reqest\n")
    script = tmp_path / "script.py"
    script.write_text("import trunks\nfrom siphon import proxy\n\n\n@proxy.on_request\ndef f(request):\n    request.relay()\n")
    assert 'there is no module "trunks"' in check(script)[0].message
    found = check(script, include_paths=[tmp_path / "lib"])
    assert Problem(
        str(tmp_path / "lib/trunks.py"), 3, 7, "error", 'proxy has no "on_reqest"; did you mean "on_request"?'
    ) in found


def test_a_script_that_is_not_there_is_a_finding(tmp_path: Path) -> None:
    (problem,) = check(tmp_path / "gone.py")
    assert "cannot be read" in problem.message


def test_a_role_of_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="siphon-proxy"):
        check(tmp_path / "gone.py", role="siphon-pcscf")
