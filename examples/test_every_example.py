"""Every example: its YAML loads in its role with its script, nothing is wrong in a script, and it has a test."""

import subprocess
import sys
from pathlib import Path

import pytest

from siphon_sdk import check
from siphon_sdk._setup import smallest_role

HERE = Path(__file__).parent
CONFIGURATIONS = sorted([*HERE.glob("*/*.yaml"), *HERE.glob("*.yaml"), *HERE.parent.glob("scripts/*.yaml")])
SCRIPTS = sorted([*HERE.glob("*/route.py"), *HERE.glob("[!t]*_rtpengine.py"), *HERE.parent.glob("scripts/proxy_default.py")])

# As the commands of the wheel do, by whichever interpreter runs the tests.
CHECK = "import sys; from siphon_sdk import _engine; sys.exit(_engine.main(sys.argv[1], sys.argv[1:]))"


def test_there_are_examples_and_each_has_a_configuration_and_a_test() -> None:
    folders = [folder for folder in HERE.iterdir() if (folder / "route.py").exists()]
    assert len(folders) >= 8
    for folder in folders:
        assert (folder / "siphon-proxy.yaml").exists(), folder.name
        assert list(folder.glob("test_*.py")), folder.name


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_nothing_is_wrong_in_the_script(script: Path) -> None:
    assert check(script, role=smallest_role(script.read_text())) == []


@pytest.mark.parametrize("config", CONFIGURATIONS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_configuration_loads(config: Path) -> None:
    script = config.with_suffix(".py")
    role = smallest_role(script.read_text()) if script.exists() else config.stem
    command = [sys.executable, "-c", CHECK, role, "--config", str(config), "--check"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
