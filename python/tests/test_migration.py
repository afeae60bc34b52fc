"""The migration table: each row in the kit, and the page has these rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import migration_rows  # noqa: F401 - enters the rows
import pytest
from migration import ROWS, KitWire, Row

from siphon_sdk import SipTestHarness

SCRIPT = Path(__file__).parent / "scripts/migrated.py"
PAGE = Path(__file__).parents[2] / "docs/guide/migrating.md"

CONFIG = """
listen: {udp: ["127.0.0.1:5060", "127.0.0.1:5070"]}
domain: {local: [example.com]}
auth: {realm: example.com, users: {alice: secret}}
cache: [{name: seen, local_max_entries: 10, local_ttl_secs: 60}]
nat: {keepalive: {enabled: false}, crlf_keepalive: {enabled: false}}
shards: 2
"""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_row_holds(siphon: Callable[..., SipTestHarness], row: Row) -> None:
    wire = KitWire(siphon(SCRIPT, config=CONFIG))
    wire.begin(row.name)
    assert row.play(wire) == row.seen


@pytest.mark.parametrize("name", ["gateway", "presence", "cdr"])
def test_what_the_page_says_is_missing_says_so_when_it_is_imported(siphon: Callable[..., SipTestHarness], name: str) -> None:
    with pytest.raises(RuntimeError, match="not in this version|available in|has no"):
        siphon().load_source(f"from siphon import {name}, proxy\n@proxy.on_request\ndef route(r): r.reply(200)\n")


def test_the_page_has_these_rows_and_no_others() -> None:
    table = [
        tuple(cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:3])
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    shown = [cells for cells in table if cells[0] != "There" and cells[1] != "not in this version"]
    assert shown == [(row.there, row.here) for row in ROWS]


def test_a_good_part_of_the_rows_is_shown_against_kamailio() -> None:
    assert sum(row.in_kamailio for row in ROWS) >= 15
