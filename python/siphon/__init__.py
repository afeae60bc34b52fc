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

# Types of a namespace, which not every role has.
_OF_ROLES = tuple(name for name in _surface.TYPES if name in _surface.COMES_WITH)

# The types of the namespaces, where the stubs have them.
_Proxy, _B2bua, _Registrar, _Auth, _Log, _Timer, _Cache, _Metrics, _RtpEngine, _SdpNamespace = (
    type(getattr(_native, name)) for name in _surface.BUILT
)
_ProxyUtils = type(_native.proxy._utils)


def __getattr__(name: str) -> object:
    if name == "__all__":
        return __dir__()
    # Names with an underscore are asked for by the import system, typing and debuggers; they get the usual error.
    if name.startswith("_"):
        raise AttributeError(f"module 'siphon' has no attribute {name!r}")
    role = _native.role()
    if name in (*_surface.BUILT, *_OF_ROLES) and (role is None or _surface.offered(name, role)):
        found: object = getattr(_native, name)
        return found
    raise ImportError(_surface.why_absent(name, role or _surface.PROXY), name="siphon")


def __dir__() -> list[str]:
    role = _native.role()
    names = (*_surface.BUILT, *_surface.TYPES)
    return sorted(name for name in names if role is None or _surface.offered(name, role))
