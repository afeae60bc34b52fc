"""Plays a trace to one or two nodes, and puts what they decide beside the requests."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from itertools import zip_longest

from .._engine import Captured, Replay
from .trace import Here, Trace
from .verdict import Verdict

Entry = tuple[Captured, list[Verdict]]
"""A request, and a verdict of each node."""

# Requests that are remembered for what is decided on their answers.
_REMEMBERED = 10_000


class Player:
    """Iterating plays: each request with its verdicts, in the order of the capture. What is decided later, on an answer,
    comes when it is decided; of two nodes at the end, since one may decide what the other does not."""

    def __init__(self, trace: Trace, here: Here, nodes: list[Replay], *, answers: bool) -> None:
        self._trace, self._here, self._nodes, self._feed_answers = trace, here, nodes, answers
        self.answers = 0
        """Answers that reached a branch."""
        self.unused_answers = 0
        """Answers to what the script did not send, or sent elsewhere."""
        self.elsewhere = 0
        """Messages that were not sent to us."""
        self._waiting: deque[tuple[Captured, bool]] = deque()
        self._known: list[deque[Verdict]] = [deque() for _ in nodes]
        self._requests: OrderedDict[int, Captured] = OrderedDict()
        self._further: OrderedDict[int, tuple[Captured, list[list[Verdict]]]] = OrderedDict()

    def __iter__(self) -> Iterator[Entry]:
        for message in self._trace:
            self._play(message)
            yield from self._entries(end=False)
        yield from self._entries(end=True)

    def _play(self, message: Captured) -> None:
        here = self._here
        # An answer goes to whatever port its request left from.
        is_answer = message.method is None and message.fault is None and here.is_host(message.destination[0])
        if is_answer and here.is_host(message.source[0]):
            return
        if is_answer:
            if self._feed_answers:
                fed = any([node.answer(message) for node in self._nodes])
                self.answers += fed
                self.unused_answers += not fed
        elif not here.has(message):
            self.elsewhere += 1
        elif message.fault is not None:
            self._waiting.append((message, False))
        else:
            self._waiting.append((message, True))
            numbers = [node.request(message) for node in self._nodes]
            self._requests[numbers[0]] = message
            if len(self._requests) > _REMEMBERED:
                self._requests.popitem(last=False)

    def _entries(self, *, end: bool) -> Iterator[Entry]:
        later = list(self._take(end))
        while self._waiting:
            message, asked = self._waiting[0]
            if asked and not all(self._known):
                break
            self._waiting.popleft()
            if asked:
                yield message, [verdicts.popleft() for verdicts in self._known]
            else:
                yield message, [Verdict("malformed", text=message.fault or "") for _ in self._nodes]
        yield from later
        if end:
            for message, lists in self._further.values():
                for verdicts in zip_longest(*lists, fillvalue=Verdict("none")):
                    yield message, list(verdicts)

    def _take(self, end: bool) -> Iterator[Entry]:
        for number, node in enumerate(self._nodes):
            for row in node.finish() if end else node.verdicts():
                verdict = Verdict.of(row)
                if verdict.on is None:
                    self._known[number].append(verdict)
                elif (message := self._requests.get(row[0])) is None:
                    pass
                elif len(self._nodes) == 1:
                    yield message, [verdict]
                else:
                    _, lists = self._further.setdefault(row[0], (message, [[] for _ in self._nodes]))
                    lists[number].append(verdict)
