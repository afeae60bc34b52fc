"""What script code gets when it reaches for something that the world does not have."""

import errno


class RealNetwork(OSError):
    """A script under test reached for the real network. The text names the host, and how to fake or allow it."""

    def __init__(self, sentence: str) -> None:
        super().__init__(errno.ENETUNREACH, sentence)
        self.sentence = sentence

    def __str__(self) -> str:
        return self.sentence


class HandlerHangs(RuntimeError):
    """A handler waits for something that is not of the pretended network: a thread, a lock, a loop without an end. The text
    names the handler and the line; it is raised in the test after 10 s of real time."""


class WorldClosed(BaseException):
    """Ends a handler that still waits when its harness is closed. No `except Exception` catches it."""
