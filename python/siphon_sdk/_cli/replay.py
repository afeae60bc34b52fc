"""`siphon-sdk replay SCRIPT CAPTURE`: what a script would have decided about the requests that somebody captured."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from .._engine import Captured, Replay
from .._setup import smallest_role
from .._world import World
from .player import Player
from .trace import Here, Trace
from .trouble import Trouble, text_of
from .verdict import Verdict, heading, identity

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]

# Where the virtual clock begins, in microseconds of Unix time: as the simulator's.
_START = 1_900_000_000_000_000


def add(commands: _Commands) -> None:
    """Makes the command known."""
    parser = commands.add_parser(
        "replay",
        help="try a captured trace against a script",
        description="Feeds the SIP requests of a PCAP or PCAPNG file to a script in the real engine, in virtual time, "
        "and prints what was decided about each.",
        epilog="Exit codes: 0 all well; 1 a handler failed, or with --against a verdict differs; 2 a file is wrong.",
    )
    parser.add_argument("script", type=Path, metavar="SCRIPT")
    parser.add_argument("capture", type=Path, metavar="CAPTURE", help="PCAP or PCAPNG, not compressed")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="YAML [default: siphon-proxy.yaml beside the script, else the role's own]"
    )
    parser.add_argument("--against", type=Path, metavar="OTHER", help="print only requests that OTHER decides differently")
    parser.add_argument(
        "--local",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="address (or address:port) of the server in the capture; may be repeated "
        "[default: the one most requests were sent to]",
    )
    parser.add_argument("--from", dest="source", metavar="IP", help="print requests of this host only")
    parser.add_argument("--call-id", metavar="ID", help="print this call only")
    parser.add_argument("--trust-digest", action="store_true", help="take credentials in the capture for good")
    parser.add_argument("--no-answers", action="store_true", help="do not feed the answers of the capture")
    parser.add_argument("--json", action="store_true", help="one JSON object for each line")
    parser.add_argument("--log", action="store_true", help="print what the script logs to standard error")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    trace = Trace(options.capture)
    scripts = [options.script] + ([options.against] if options.against else [])
    texts = [text_of(script) for script in scripts]
    here = Here.find(trace, options.local)
    say: Callable[[str], None] = (lambda text: print(text, file=sys.stderr)) if options.json else print
    say(here.why)
    nodes = [_node(script, text, here, options) for script, text in zip(scripts, texts, strict=True)]
    summary = Summary()
    player = Player(trace, here, nodes, answers=not options.no_answers)
    for message, verdicts in player:
        if options.log:
            for line in (line for node in nodes for line in node.lines()):
                print(line, file=sys.stderr)
        if not _wanted(message, options):
            continue
        differ = len({repr(v.essence) for v in verdicts}) > 1
        summary.count(verdicts, differ)
        if options.against and not differ:
            continue
        if options.json:
            told = identity(message) | {"verdict": verdicts[0].json()}
            print(json.dumps(told | {"against": other.json() for other in verdicts[1:]}))
        elif options.against:
            print(heading(message))
            for script, verdict in zip(scripts, verdicts, strict=True):
                print(f"    {script}: {verdict.words()}")
        else:
            print(f"{heading(message)}  {verdicts[0].words()}")
    for line in summary.lines(trace, player, bool(options.against)):
        say(line)
    if trace.fault:
        raise Trouble(trace.fault)
    return 1 if summary.different or (summary.failed and not options.against) else 0


def _node(script: Path, text: str, here: Here, options: argparse.Namespace) -> Replay:
    role = smallest_role(text)
    config: Path | None = options.config
    if config is None:
        beside = script.absolute().parent / f"{role}.yaml"
        config = beside if beside.is_file() else None
    yaml = None if config is None else text_of(config)
    local = [(over, f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}") for over, ip, port in sorted(here.sockets)]
    try:
        return Replay(
            role,
            yaml,
            "" if config is None else str(config),
            None if config is None else config.absolute(),
            script.absolute(),
            local,
            options.trust_digest,
            World(1, _START),
        )
    except RuntimeError as error:
        raise Trouble(str(error)) from error


class Summary:
    """Counts for the last lines."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.different = 0
        self.failed = 0

    def count(self, verdicts: list[Verdict], differ: bool) -> None:
        """One decision more."""
        # What is decided on an answer is no request, and one of two may have decided nothing.
        if all(verdict.on is None and verdict.kind != "none" for verdict in verdicts):
            self.kinds[verdicts[0].kind] += 1
        self.different += differ
        self.failed += verdicts[0].kind == "error"

    def lines(self, trace: Trace, player: Player, compared: bool) -> Iterator[str]:
        """What to say at the end."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in self.kinds.most_common())
        yield f"{self.kinds.total()} requests: {kinds or 'none'}"
        if compared:
            yield f"{self.different} verdicts differ"
        if player.answers or player.unused_answers:
            yield f"{player.answers} answers fed, {player.unused_answers} to what was not sent here"
        if player.elsewhere:
            yield f"{player.elsewhere} messages that were not sent to us"
        yield from trace.remarks()


def _wanted(message: Captured, options: argparse.Namespace) -> bool:
    from_there = options.source is None or message.source[0] == options.source
    return from_there and (options.call_id is None or message.call_id == options.call_id)
