"""Everything a test of a script imports: `from siphon_sdk.testing import SipTestHarness`."""

from ._setup import Config
from ._world.errors import HandlerHangs, RealNetwork
from ._world.http import Fake, Http, HttpRequest
from ._writing import Headers
from .agent import Call, UserAgent
from .harness import SipTestHarness, Transport
from .message import Message, differences
from .observed import (
    Binding,
    Decision,
    Dns,
    Level,
    Log,
    LogLine,
    MediaCommand,
    MediaEngines,
    MediaSession,
    Metrics,
    Registrar,
)
from .results import CallResult, ReplyResult, RequestResult

__all__ = [
    "Binding",
    "Call",
    "CallResult",
    "Config",
    "Decision",
    "Dns",
    "Fake",
    "HandlerHangs",
    "Headers",
    "Http",
    "HttpRequest",
    "Level",
    "Log",
    "LogLine",
    "MediaCommand",
    "MediaEngines",
    "MediaSession",
    "Message",
    "Metrics",
    "RealNetwork",
    "Registrar",
    "ReplyResult",
    "RequestResult",
    "SipTestHarness",
    "Transport",
    "UserAgent",
    "differences",
]
