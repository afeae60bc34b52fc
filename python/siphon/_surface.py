"""The one table of what `from siphon import ...` offers: which name in which role, and what this version leaves out.

The module's error texts, `--check`, the test of the stubs and the reference pages are made from it. A test keeps
`docs/reference/surface.toml`, which names the test of each entry, equal to it.
"""

import difflib
from collections.abc import Iterable

PROXY = "siphon-proxy"
SBC = "siphon-sbc"
PCSCF = "siphon-pcscf"
ICSCF = "siphon-icscf"
SCSCF = "siphon-scscf"
LI = "siphon-li"

ROLES = (PROXY, SBC, PCSCF, ICSCF, SCSCF, LI)

# Namespace: the roles that offer it once it is built.
NAMESPACES: dict[str, tuple[str, ...]] = {
    "proxy": (PROXY, SBC, PCSCF, ICSCF, SCSCF),
    "cache": (PROXY, SBC, PCSCF, ICSCF, SCSCF),
    "log": ROLES,
    "timer": ROLES,
    "metrics": ROLES,
    "registrar": (PROXY, SBC, PCSCF, SCSCF),
    "auth": (PROXY, SBC, PCSCF, SCSCF),
    "gateway": (PROXY, SBC, SCSCF),
    "cdr": (PROXY, SBC, PCSCF, SCSCF),
    "registration": (PROXY, SBC),
    "rtpengine": (PROXY, SBC, PCSCF, SCSCF),
    "sdp": (PROXY, SBC, PCSCF, SCSCF),
    "b2bua": (SBC,),
    "lcr": (SBC,),
    "srs": (SBC,),
    "presence": (PROXY, SBC, PCSCF, SCSCF),
    "stir": (PROXY, SBC),
    "numbers": (PROXY, SBC),
    "diameter": (PCSCF, ICSCF, SCSCF),
    "qos": (PCSCF,),
    "ipsec": (PCSCF,),
    "pcscf": (PCSCF,),
    "icscf": (ICSCF,),
    "scscf": (SCSCF,),
    "sbi": (PCSCF, SCSCF),
    "isc": (SCSCF,),
    "li": (LI,),
}

# Namespaces of this version, in the order of the reference.
BUILT = ("proxy", "b2bua", "registrar", "auth", "log", "timer", "cache", "metrics", "rtpengine", "sdp")

# Types and exceptions of this version, in the order of the reference. Every role has them, but for those that come with
# a namespace.
TYPES = (
    "Request", "Reply", "Call", "CallVars", "MediaHandle", "ByeInitiator", "SipUri", "Contact", "Flow", "Sdp", "MediaSection",
    "TimerHandle", "Counter", "Gauge", "Histogram", "Awaitable", "TransactionEnded", "MediaError", "Cancelled",
)

# Types that come with a namespace: what is said about them is said about it.
COMES_WITH = {
    "Destination": "gateway",
    "Call": "b2bua",
    "CallVars": "b2bua",
    "MediaHandle": "b2bua",
    "ByeInitiator": "b2bua",
}

# Names of the reference surface that this version leaves out, by type or namespace, and why.
ABSENT: dict[str, dict[str, str]] = {
    # Those of `siphon` itself that belong to no namespace.
    "names": {
        "Action": "the test kit records actions; the daemon commits verdicts",
    },
    "Request": {
        "charging_params": "charging comes with the IMS roles",
        "set_charging_param": "charging comes with the IMS roles",
        "generate_icid": "charging comes with the IMS roles",
        "is_ipsec_protected": "IPsec belongs to siphon-pcscf",
        "matched_sa": "IPsec belongs to siphon-pcscf",
        "parse_security_client": "IPsec belongs to siphon-pcscf",
        "add_pcscf_path": "Path tokens of a P-CSCF belong to siphon-pcscf",
        "from_gateway": "gateway groups are not built yet",
        "rewrite_identities": "number normalisation is not built yet",
        "set_reply_to_tag": "the To tag belongs to the transaction layer",
        "reply_header_ops": "the list of operations behind reply_headers is internal",
        "actions": "the test kit records actions; the daemon commits verdicts",
        "last_action": "the test kit records actions; the daemon commits verdicts",
    },
    "Reply": {
        "from_gateway": "gateway groups are not built yet",
        "take_av": "AKA vectors belong to siphon-pcscf",
        "actions": "the test kit records actions; the daemon commits verdicts",
        "last_action": "the test kit records actions; the daemon commits verdicts",
    },
    "Call": {
        "active_route": "least-cost routing is not built yet",
        "route": "least-cost routing is not built yet",
        "from_gateway": "gateway groups are not built yet",
        "rewrite_identities": "number normalisation is not built yet",
        "handover": "handing calls to other programs is not built yet",
        "ro_authorize": "charging comes with the IMS roles",
        "ro_authorizations": "charging comes with the IMS roles",
        "charging_params": "charging comes with the IMS roles",
        "set_charging_param": "charging comes with the IMS roles",
        "actions": "the test kit records actions; the daemon commits verdicts",
        "last_action": "the test kit records actions; the daemon commits verdicts",
    },
    "MediaHandle": {
        "_actions": "the test kit records actions; the daemon commits verdicts",
    },
    "SipUri": {
        "_is_local": "internal to the reference; is_local is the public name",
    },
    "Contact": {
        "flow_token": "belongs to the flow tokens of the IMS roles",
        "instance_epoch": "belongs to the flow tokens of the IMS roles",
        "kind": "application server contacts belong to siphon-scscf",
    },
    "proxy": {
        "on_register_reply": "replies to REGISTER belong to siphon-pcscf",
        "subscribe_state": "subscriptions come with presence",
        "sent_requests": "the test kit lists sent requests; the daemon sends them",
    },
    "b2bua": {
        "originate": "calls of the node's own are not built yet",
        "terminate": "ending a call from outside its handlers is not built yet",
        "refer": "transferring a call from outside its handlers is not built yet",
    },
    "proxy._utils": {
        "enum_lookup": "ENUM is not built yet",
    },
    "registrar": {
        "save_proxy": "the proxy-side cache of bindings belongs to siphon-pcscf",
        "lookup_contact": "the proxy-side cache of bindings belongs to siphon-pcscf",
        "is_registered_contact": "the proxy-side cache of bindings belongs to siphon-pcscf",
        "lookup_by_token": "the proxy-side cache of bindings belongs to siphon-pcscf",
        "save_as_contact": "application server contacts belong to siphon-scscf",
        "save_pending": "two-step registration belongs to siphon-scscf",
        "confirm_pending": "two-step registration belongs to siphon-scscf",
        "asserted_identity": "asserted identities come with the IMS roles",
        "set_associated_uris": "asserted identities come with the IMS roles",
        "associated_uris": "asserted identities come with the IMS roles",
        "set_service_routes": "Service-Route of scripts comes with the IMS roles",
        "service_route": "Service-Route of scripts comes with the IMS roles",
        "reginfo_xml": "reg-event documents come with presence",
    },
    "auth": {
        "generate_nonce": "nonces are made and checked inside require_*",
        "validate_nonce": "nonces are made and checked inside require_*",
        "require_ims_digest": "AKA belongs to the IMS roles",
        "require_aka_digest": "AKA belongs to the IMS roles",
    },
    "timer": {
        "scheduled": "the test kit lists scheduled timers; the daemon fires them",
    },
    "rtpengine": {
        "answer_local": "answering calls of its own belongs to siphon-sbc, and is not built yet",
        "play_overlay": "rtpengine 10.5 mixes nothing into media; play_media takes their place",
        "echo": "rtpengine 10.5 can only be told so in an offer: a profile with flags does it",
        "subscribe_request": "media subscriptions come with SIPREC",
        "subscribe_answer": "media subscriptions come with SIPREC",
        "unsubscribe": "media subscriptions come with SIPREC",
        "attach_ws_tee": "rtpengine has no WebSocket of media",
        "detach_ws_tee": "rtpengine has no WebSocket of media",
        "on_dtmf": "events of the engine are not received yet",
        "on_media_timeout": "events of the engine are not received yet",
        "on_text": "rtpengine tells no text of calls",
        "on_beep": "rtpengine hears no beeps",
        "on_ws_tee_started": "rtpengine has no WebSocket of media",
        "on_ws_tee_ended": "rtpengine has no WebSocket of media",
    },
}


def offered(name: str, role: str) -> bool:
    """Whether `name` can be imported from `siphon` in `role`."""
    roles = NAMESPACES.get(COMES_WITH.get(name, name))
    return (name in BUILT or name in TYPES) and (roles is None or role in roles)


def closest(name: str, known: Iterable[str]) -> str | None:
    """The name among `known` that `name` is most likely meant to be."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.75)
    return near[0] if near else None


def why_absent(name: str, role: str) -> str:
    """Why `name` cannot be imported from `siphon` in `role`."""
    if name in ABSENT["names"]:
        return f"'{name}' is not in this version: {ABSENT['names'][name]}"
    roles = NAMESPACES.get(COMES_WITH.get(name, name))
    if roles is None:
        near = closest(name, (*BUILT, *TYPES))
        return f'siphon has no "{name}"; did you mean "{near}"?' if near else f'siphon has no "{name}"'
    if role in roles:
        return f"'{name}' is not in this version of {role}"
    return f"'{name}' is not available in {role} (available in: {', '.join(roles)})"


def why_no_attribute(namespace: str, name: str, known: Iterable[str]) -> str:
    """Why a namespace, or a type, has no attribute of that name."""
    reason = ABSENT.get(namespace, {}).get(name)
    if reason is not None:
        return f"{namespace}.{name} is not in this version: {reason}"
    near = closest(name, (other for other in known if not other.startswith("__")))
    return f'{namespace} has no "{name}"; did you mean "{near}"?' if near else f'{namespace} has no "{name}"'
