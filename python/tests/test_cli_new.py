"""`siphon-sdk new`: what it writes works as it stands, and nothing is lost."""

from pathlib import Path

import pytest
from commands import Command, plugin, run

from siphon_sdk import _engine
from siphon_sdk._cli import new


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.fixture
def project(tmp_path: Path, command: Command) -> Path:
    assert command("new", "proxy", tmp_path / "mine") == 0
    return tmp_path / "mine"


def test_it_says_what_it_wrote(project: Path, command: Command) -> None:
    written = sorted(path.name for path in project.iterdir())
    assert written == ["README.md", "pyproject.toml", "route.py", "siphon-proxy.yaml", "test_route.py"]
    assert all(str(project / name) in command.lines for name in written)


def test_the_script_is_the_one_of_the_role(project: Path) -> None:
    embedded, _ = _engine.embedded("siphon-proxy")
    _, rest = embedded.split("\n", 1)
    first, same = (project / "route.py").read_text().split("\n", 1)
    assert same == rest
    assert first == '"""What siphon-proxy does with each request.'


def test_its_tests_pass(project: Path) -> None:
    done = run("-m", "pytest", "-q", *plugin(), cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_the_role_finds_nothing_wrong(project: Path, command: Command) -> None:
    role = "import sys; from siphon_sdk._roles import proxy; sys.argv[0] = 'siphon-proxy'; proxy()"
    done = run("-c", role, "--config", "siphon-proxy.yaml", "--check", cwd=project)
    assert (done.returncode, done.stdout) == (0, "siphon-proxy.yaml: nothing wrong\n"), done.stderr
    assert command("check", project / "route.py") == 0
    assert command.out.endswith("nothing wrong\n")


def test_its_types_are_right(project: Path) -> None:
    done = run("-m", "mypy", "--strict", "--cache-dir", "/dev/null", "route.py", "test_route.py", cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_overwritten(project: Path, command: Command) -> None:
    (project / "route.py").write_text("mine")
    (project / "test_route.py").unlink()
    assert command("new", "proxy", project) == 2
    assert command.err == f"siphon-sdk: {project}/route.py is there already; nothing was written\n"
    assert (project / "route.py").read_text() == "mine"
    assert not (project / "test_route.py").exists()


def test_a_directory_with_other_files_is_joined(tmp_path: Path, command: Command) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert command("new", "proxy", tmp_path) == 0
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_where_nothing_can_be_written_it_says_why(tmp_path: Path, command: Command) -> None:
    (tmp_path / "file").write_text("")
    assert command("new", "proxy", tmp_path / "file") == 2
    assert "cannot write to" in command.err


def test_every_file_is_part_of_the_package() -> None:
    assert set(new.contents()) == {"route.py", *new._FILES}


def test_a_role_that_is_not_there_is_no_role(command: Command, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        command("new", "sbc", tmp_path)
    assert ended.value.code == 2


def test_a_wrong_script_is_told_by_check(tmp_path: Path, command: Command) -> None:
    script = tmp_path / "route.py"
    script.write_text("from siphon import proxy\n\n@proxy.on_reqest\ndef route(request): ...\n")
    assert command("check", script) == 2
    assert f"{script}:3:" in command.out and "on_request" in command.out


@pytest.mark.parametrize(("name", "octets"), [("none.py", None), ("latin.py", b"# \xe9\n")])
def test_a_script_that_cannot_be_read_is_told_by_check_as_the_role_tells_it(
    tmp_path: Path, command: Command, name: str, octets: bytes | None
) -> None:
    if octets is not None:
        (tmp_path / name).write_bytes(octets)
    (tmp_path / "siphon-proxy.yaml").write_text(f"listen: {{udp: ['127.0.0.1:0']}}\nscript: {{path: {tmp_path / name}}}\n")
    role = "import sys; from siphon_sdk._roles import proxy; sys.argv[0] = 'siphon-proxy'; proxy()"
    done = run("-c", role, "--config", "siphon-proxy.yaml", "--check", cwd=tmp_path)
    told = done.stderr.splitlines()[0]
    assert told.startswith(f"{tmp_path / name}: cannot be read: "), done.stderr
    assert command("check", tmp_path / name) == 2
    assert command.out.splitlines() == [told]
