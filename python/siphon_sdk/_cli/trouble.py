"""What ends a command with exit code 2."""

from pathlib import Path


class Trouble(Exception):
    """A command line or a file is wrong; the text says what, and what would be right."""


def text_of(path: Path) -> str:
    """The text of a file."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Trouble(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise Trouble(f"{path} is not text in UTF-8") from None
