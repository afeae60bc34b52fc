"""What was dialled, in the form the carrier wants (ITU-T E.164)."""

import re
from dataclasses import dataclass
from enum import Enum

COUNTRY, AREA = "49", "30"


class Kind(Enum):
    """What a user part means."""

    EMERGENCY = "emergency"
    NUMBER = "number"
    USER = "user"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Dialled:
    """A user part, understood."""

    kind: Kind
    number: str = ""


def read(user: str) -> Dialled:
    digits = re.sub(r"[-. ()]", "", user)
    if digits in ("110", "112"):
        return Dialled(Kind.EMERGENCY, digits)
    for pattern, prefix in ((r"\+(\d{7,15})", "+"), (r"00(\d{7,15})", "+"), (r"0(\d{5,13})", f"+{COUNTRY}")):
        if found := re.fullmatch(pattern, digits):
            return Dialled(Kind.NUMBER, prefix + found[1])
    if re.fullmatch(r"[1-9]\d{4,9}", digits):
        return Dialled(Kind.NUMBER, f"+{COUNTRY}{AREA}{digits}")
    if re.fullmatch(r"[a-z][a-z0-9._-]*", user):
        return Dialled(Kind.USER)
    return Dialled(Kind.NOTHING)
