"""What scripts import: `from siphon import proxy, registrar, log`.

The daemon carries these same files. What is native comes from the engine: linked into the daemon, or the extension
module `siphon_sdk._engine` of the wheel. Namespaces are looked up by the role that asks.
"""

from . import _native, _surface
from ._native import (
    Awaitable,
    Cancelled,
    Contact,
    Counter,
    Flow,
    Gauge,
    Histogram,
    MediaError,
    MediaSection,
    Reply,
    Request,
    Sdp,
    SipUri,
    TimerHandle,
    TransactionEnded,
)

__all__ = list(_surface.BUILT + _surface.TYPES)  # pyright: ignore[reportUnsupportedDunderAll]

# The types of the namespaces, where the stubs have them.
_Proxy, _Registrar, _Auth, _Log, _Timer, _Cache, _Metrics, _RtpEngine, _SdpNamespace = (
    type(getattr(_native, name)) for name in _surface.BUILT
)
_ProxyUtils = type(_native.proxy._utils)


def __getattr__(name: str) -> object:
    # Names with an underscore are asked for by the import system, typing and debuggers; they get the usual error.
    if name.startswith("_"):
        raise AttributeError(f"module 'siphon' has no attribute {name!r}")
    role = _native.role()
    if name in _surface.BUILT and (role is None or role in _surface.NAMESPACES[name]):
        found: object = getattr(_native, name)
        return found
    raise ImportError(_surface.why_absent(name, role or _surface.PROXY), name="siphon")


def __dir__() -> list[str]:
    return sorted(__all__)
