"""Tests of the package from its source tree."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import world_support  # noqa: E402

from siphon_sdk._world import World  # noqa: E402


@pytest.fixture
def world() -> Iterator[World]:
    made = world_support.world(1)
    yield made
    made.close()
