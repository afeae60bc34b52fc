"""Calls to numbers leave by the trunk of their prefix, dressed as that carrier wants them."""

from dataclasses import dataclass

from siphon import Reply, Request, auth, log, proxy


@dataclass(frozen=True)
class Trunk:
    """A carrier: where it is, and how it wants its calls."""

    uri: str
    prefix: str
    strip: int = 0
    private: bool = False


# The longest prefix wins; of two with the same one the second is tried when the first fails.
TRUNKS = [
    Trunk("sip:192.0.2.10:5060", "+4420"),
    Trunk("sip:192.0.2.20:5060", "+"),
    Trunk("sip:192.0.2.21:5060", "+"),
    Trunk("sip:192.0.2.30:5060", "0", strip=1, private=True),
]


def trunks_for(number: str) -> list[Trunk]:
    fitting = [trunk for trunk in TRUNKS if number.startswith(trunk.prefix)]
    longest = max((len(trunk.prefix) for trunk in fitting), default=0)
    return [trunk for trunk in fitting if len(trunk.prefix) == longest]


def to_the_second(request: Request, reply: Reply) -> None:
    # The Request-URI may have lost digits; To has the number that was dialled.
    rest = trunks_for(request.to_uri.user or "")[1:]
    if rest and (reply.status_code == 408 or reply.status_code >= 500) and reply.status_code < 600:
        log.warning("trunk failed", status=reply.status_code, local=reply.is_local)
        request.relay(rest[0].uri)


@proxy.on_request("INVITE")
def call(request: Request) -> None:
    if request.in_dialog:
        request.loose_route()
        request.relay()
        return
    if not auth.require_proxy_digest(request):
        return
    number = request.ruri.user or ""
    trunks = trunks_for(number)
    if not trunks:
        request.reply(404, "No Such Number")
        return
    first = trunks[0]
    request.remove_headers_matching("X-")
    request.remove_header("P-Asserted-Identity")
    # Who calls is known from the password, not from what the phone claims (RFC 3325 5); whom the callee may not see is
    # for the carrier to hide (RFC 3325 9.3).
    request.set_header("P-Asserted-Identity", f"<sip:{request.auth_user}@example.com>")
    if first.private:
        request.set_header("Privacy", "id")
    if first.strip:
        request.set_ruri_user(number[first.strip :])
    request.record_route()
    request.relay(first.uri, timeout="10s", on_failure=to_the_second)
