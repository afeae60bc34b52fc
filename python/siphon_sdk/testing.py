"""Everything a test of a script imports: `from siphon_sdk.testing import SipTestHarness`."""

from .agent import Call, UserAgent
from .harness import SipTestHarness
from .message import Message, differences
from .observed import Binding, Decision, Dns, Log, LogLine, Metrics, Registrar
from .results import ReplyResult, RequestResult

__all__ = [
    "Binding",
    "Call",
    "Decision",
    "Dns",
    "Log",
    "LogLine",
    "Message",
    "Metrics",
    "Registrar",
    "ReplyResult",
    "RequestResult",
    "SipTestHarness",
    "UserAgent",
    "differences",
]
