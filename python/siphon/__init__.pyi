"""What scripts import: `from siphon import proxy, registrar, log`.

Verbs of a request are recorded and take effect when the handler returns or awaits. A handler that raises has
decided nothing since its last await; the request is answered 500 and the log names the line. Text with CR, LF
or NUL raises ValueError wherever it would go into a message. A duration is a number in the unit of its
parameter, text such as "30s", "500ms", "5m", "1h", or a timedelta.

Calls that give an Awaitable are awaited in an `async def` handler. In a plain `def` they give their value, which
a type checker cannot see: write `async def` where the value matters. Those that wait (`proxy.send_request` with
`wait_for_response`, `timer.sleep`) then block a thread of the lane.

Signatures are written by hand; the texts are those of the built module, put here by python/tests/reference.py.
"""

from collections.abc import Callable, Coroutine, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Generic, Literal, NoReturn, Self, TypeAlias, TypeVar, final, overload

__all__ = [
    "proxy",
    "b2bua",
    "registrar",
    "auth",
    "log",
    "timer",
    "cache",
    "metrics",
    "rtpengine",
    "sdp",
    "Request",
    "Reply",
    "Call",
    "CallVars",
    "MediaHandle",
    "ByeInitiator",
    "SipUri",
    "Contact",
    "Flow",
    "Sdp",
    "MediaSection",
    "TimerHandle",
    "Counter",
    "Gauge",
    "Histogram",
    "Awaitable",
    "TransactionEnded",
    "MediaError",
    "Cancelled",
]

_Duration: TypeAlias = float | str | timedelta
_Address: TypeAlias = str | SipUri | Contact
_Value: TypeAlias = str | int | float | SipUri | Contact
_Transport: TypeAlias = Literal["udp", "tcp", "tls", "ws", "wss", "sctp"]
_Strategy: TypeAlias = Literal["parallel", "sequential", "q", "preference"]
_CallState: TypeAlias = Literal["calling", "ringing", "answered", "terminating"]
_Side: TypeAlias = Literal["caller", "callee"]
_HeaderPolicy: TypeAlias = Literal["topology-hiding", "trunk", "transparent"]
_Dialled: TypeAlias = str | SipUri | Contact
_Var: TypeAlias = bool | int | float | str | None
_Change: TypeAlias = Literal["registered", "refreshed", "deregistered", "expired"]
_Direction: TypeAlias = Literal["sendrecv", "sendonly", "recvonly", "inactive"]
_Done: TypeAlias = Coroutine[Any, Any, None] | None

# Each as `def`, or the same as `async def`.
_RequestHandler: TypeAlias = Callable[[Request], _Done]
_ReplyHandler: TypeAlias = Callable[[Request, Reply], _Done]
_CallHandler: TypeAlias = Callable[[Call], _Done]
_CallReplyHandler: TypeAlias = Callable[[Call, Reply], _Done]
_CallFailureHandler: TypeAlias = Callable[[Call, int, str], _Done]
_ByeHandler: TypeAlias = Callable[[Call, ByeInitiator], _Done]
_ChangeHandler: TypeAlias = Callable[[str, _Change, list[Contact]], _Done]
_TimerHandler: TypeAlias = Callable[[], _Done]

_OnRequest = TypeVar("_OnRequest", bound=_RequestHandler)
_OnReply = TypeVar("_OnReply", bound=_ReplyHandler)
_OnCall = TypeVar("_OnCall", bound=_CallHandler)
_OnCallReply = TypeVar("_OnCallReply", bound=_CallReplyHandler)
_OnCallFailure = TypeVar("_OnCallFailure", bound=_CallFailureHandler)
_OnBye = TypeVar("_OnBye", bound=_ByeHandler)
_OnChange = TypeVar("_OnChange", bound=_ChangeHandler)
_OnTimer = TypeVar("_OnTimer", bound=_TimerHandler)
_T_co = TypeVar("_T_co", covariant=True)

@final
class Request:
    """A SIP request: the message as received, with the edits made so far. It belongs to its handler: after the
    transaction has ended its verbs raise `TransactionEnded`.
    """
    @property
    def method(self) -> str:
        """The method, such as `INVITE`, as the request line has it (RFC 3261 7.1)."""
    @property
    def ruri(self) -> SipUri:
        """The Request-URI (RFC 3261 7.1), after any `set_ruri`. `ruri.is_local` says whether it is this node's to
        serve.
        """
    @property
    def from_uri(self) -> SipUri:
        """The URI of From (RFC 3261 20.20). It is what the sender claims; `auth_user` is what was proved."""
    @property
    def to_uri(self) -> SipUri:
        """The URI of To (RFC 3261 20.39): whom the sender meant, whatever the Request-URI has become."""
    @property
    def from_tag(self) -> str | None:
        """The tag of From; None when it has none (RFC 3261 19.3)."""
    @property
    def to_tag(self) -> str | None:
        """The tag of To; None outside a dialog (RFC 3261 19.3)."""
    @property
    def call_id(self) -> str:
        """The Call-ID (RFC 3261 20.8); equal over all requests of a dialog."""
    @property
    def cseq(self) -> int:
        """The number of CSeq, 0 to 2**31-1 (RFC 3261 8.1.1.5)."""
    @property
    def in_dialog(self) -> bool:
        """Whether To has a tag, so that the request belongs to a dialog (RFC 3261 12.2)."""
    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards as received, 0 to 255; None when it is missing (RFC 3261 20.22). The engine counts it down
        and answers 483.
        """
    @property
    def body(self) -> bytes | None:
        """The body's octets; None when there is none."""
    @property
    def content_type(self) -> str | None:
        """The text of Content-Type, parameters included; None when there is none (RFC 3261 20.15)."""
    @property
    def user_agent(self) -> str | None:
        """The text of User-Agent; None when there is none (RFC 3261 20.41)."""
    @property
    def event(self) -> str | None:
        """The event package of SUBSCRIBE, NOTIFY and PUBLISH, without parameters; None when there is no Event (RFC
        6665 8.2.1).
        """
    @property
    def transport(self) -> _Transport:
        """The transport it came over, in lower case: `udp` or `tcp` in this version."""
    @property
    def source_ip(self) -> str:
        """The address it came from, as text; an IPv4 address is never shown as mapped into IPv6."""
    @property
    def source_port(self) -> int:
        """The port it came from."""
    @property
    def flow(self) -> Flow:
        """The path it came by. `relay(flow=...)` sends something back along it."""
    @property
    def auth_user(self) -> str | None:
        """The user whose credentials `auth.require_*` or `verify_digest` accepted; None before. It may be set, for
        a script with a check of its own; `registrar.save` compares it where `registrar.enforce_auth_aor_match`
        asks for that.
        """
    @auth_user.setter
    def auth_user(self, value: str | None) -> None: ...
    @property
    def contact_expires(self) -> int | None:
        """Seconds that a REGISTER or SUBSCRIBE asks for: the `expires` of its first Contact, else Expires; None
        when neither is there (RFC 3261 10.2.1.1).
        """
    @property
    def route_user(self) -> str | None:
        """User part, without escapes, of the topmost Route that is not ours; None when there is none."""
    @property
    def consumed_route_user(self) -> str | None:
        """User part, without escapes, of the first of our own topmost Route values that has one; None when there
        is none.
        """
    @property
    def consumed_routes(self) -> list[SipUri]:
        """Our own topmost Route values as URIs, topmost first; both of a double Record-Route (RFC 3261 16.4, RFC
        5658).
        """
    @property
    def consumed_route(self) -> SipUri | None:
        """The topmost of `consumed_routes`; None when there is none."""
    @property
    def reply_headers(self) -> list[tuple[str, str]]:
        """Header fields that responses made or forwarded here on the transaction get, as pairs of name and value."""
    def reply(
        self,
        code: int,
        reason: str | None = None,
        headers: Mapping[str, _Value] | None = None,
        body: bytes | str | None = None,
        content_type: str | None = None,
        reliable: Literal[False] = False,
    ) -> None:
        """Decides: answers with this status code, 100 to 699 (RFC 3261 8.2.6, 16.7 for what is forwarded instead).

        Without `reason` the registered phrase is used. `body` is octets or text, `text/plain` unless
        `content_type` says otherwise; without one, what `set_reply_body` left. To an ACK nothing is sent and
        the log has an error. After `registrar.save` a 2xx merges into the recorded answer, and a failure takes
        the bindings back. Raises ValueError for another code, for CR, LF or NUL in any text, and for
        `reliable=True` (RFC 3262), which is not in this version.
        """
    def relay(
        self,
        next_hop: _Address | None = None,
        on_reply: _ReplyHandler | None = None,
        on_failure: _ReplyHandler | None = None,
        flow: Flow | None = None,
        send_socket: str | None = None,
        timeout: _Duration | None = None,
    ) -> None:
        """Decides: sends the request on (RFC 3261 16.6).

        Without arguments it goes along its Route set and Request-URI. A text or SipUri as `next_hop` is where
        it is sent, and the Request-URI stays; a Contact, or the `uri` of one, is a binding: it becomes the
        Request-URI, with the binding's Path and flow. `flow` sends along that path, `send_socket`
        (`address:port` of a listener) from that one. `timeout` is how long a branch of an INVITE may ring, in
        seconds or as `"10s"`; then it is cancelled and counts as 408. Default: Timer C.

        `on_reply(request, reply)` and `on_failure(request, reply)` replace the script's own for this
        transaction. Raises ValueError for text that is no URI.
        """
    def fork(
        self,
        targets: Iterable[_Address],
        strategy: _Strategy = "parallel",
        send_socket: str | None = None,
        timeout: _Duration | None = None,
        on_reply: _ReplyHandler | None = None,
        on_failure: _ReplyHandler | None = None,
    ) -> None:
        """Decides: sends the request to several targets (RFC 3261 16.6, 16.7), each as `relay` would.

        `strategy` `parallel` rings all at once; `sequential` one after the other in the order given; `q` (or
        `preference`) one group of equal `q` after the other, best first. `timeout` is per branch. No target is
        a local 480, which `on_failure` may mend. More than `limits.branches` are not tried. Raises TypeError
        for a text in place of a list, ValueError for text that is no URI and for another strategy.
        """
    def drop(self) -> None:
        """Decides: no answer is sent, ever. Deliberate silence, as towards a scanner; deciding nothing at all is a
        500.
        """
    def record_route(self) -> None:
        """Stays in the path of the dialog this request begins: puts a Record-Route when it is relayed (RFC 3261
        16.6 step 4).
        """
    def loose_route(self) -> bool:
        """Whether the request carried a route set or came on our Record-Route (RFC 3261 16.4). Our own Route
        values count as consumed from then on, for `get_header` too; `relay` skips them in any case.
        """
    def source_ip_in(self, networks: str | Sequence[str]) -> bool:
        """Whether the source address lies in one of the networks, each written `192.0.2.0/24`, `2001:db8::/32` or
        as one address. Raises ValueError for text that is neither.
        """
    def get_header(self, name: str) -> str | None:
        """The text of the first header field of that name, in any case or compact form; None when there is none.
        Of Route after `loose_route`, the first that is not ours.
        """
    def header(self, name: str) -> str | None:
        """The same as `get_header`."""
    def get_headers(self, name: str) -> list[str]:
        """The values of all header fields of that name, in order; lists are split at their commas (RFC 3261
        7.3.1).
        """
    def has_header(self, name: str) -> bool:
        """Whether there is a header field of that name."""
    def has_body(self, content_type: str) -> bool:
        """Whether there is a body of that media type, in any case and whatever its parameters; also as a part of a
        multipart.
        """
    def set_header(self, name: str, value: _Value) -> None:
        """Replaces all header fields of that name by one. Raises ValueError for Via, CSeq, Call-ID and
        Content-Length, which belong to the engine, and for CR, LF or NUL; RuntimeError once the request was
        relayed.
        """
    def add_header(self, name: str, value: _Value) -> None:
        """Adds a header field below those of that name. Raises as `set_header` does."""
    def ensure_header(self, name: str, value: _Value) -> None:
        """Adds the header field when there is none of that name. Raises as `set_header` does."""
    def remove_header(self, name: str) -> None:
        """Removes all header fields of that name. Raises as `set_header` does."""
    def remove_headers_matching(self, prefix: str) -> None:
        """Removes the header fields whose name, in its long form, the pattern matches from the start, in any case:
        `"X-"` and `"^X-"` do the same. A linear-time regular expression. What a message cannot do without
        stays. Raises ValueError for a pattern that is none.
        """
    def remove_from_header_list(self, name: str, value: str) -> None:
        """Removes one value, in any case, from a list such as Supported or Allow. Raises ValueError for a header
        field that is no list.
        """
    def set_body(self, body: bytes | str, content_type: str | None = None) -> None:
        """Replaces the body; Content-Length follows (RFC 3261 20.14). Without `content_type` the old one stays;
        where there is none, `text/plain` for text and `application/octet-stream` for octets.
        """
    def set_ruri(self, value: _Address) -> None:
        """Replaces the Request-URI (RFC 3261 16.5: it decides where the request goes). Raises ValueError for text
        that is no URI.
        """
    def set_ruri_user(self, value: str) -> None:
        """Replaces the user part of the Request-URI, escaping what must be; an empty text removes it. Raises
        ValueError for a tel URI.
        """
    def set_ruri_host(self, value: str) -> None:
        """Replaces host, or `host:port`, of the Request-URI; parameters stay. Raises ValueError for a tel URI."""
    def set_from_display(self, display_name: str) -> None:
        """Replaces the display name of From; the tag stays (RFC 3261 20.20)."""
    def set_to_display(self, display_name: str) -> None:
        """Replaces the display name of To; the tag stays (RFC 3261 20.39)."""
    def set_from_uri(self, value: _Address) -> None:
        """Replaces the URI of From; display name and tag stay. Peers older than RFC 4916 match dialogs by it:
        change it in both directions or not at all.
        """
    def set_to_uri(self, value: _Address) -> None:
        """Replaces the URI of To; display name and tag stay. As for `set_from_uri`."""
    def add_path(self, uri: _Address) -> None:
        """Puts a Path value on top of a REGISTER, so that requests to its contacts come by there (RFC 3327 4)."""
    def prepend_route(self, uri: _Address) -> None:
        """Puts a loose Route value on top: it becomes the next hop (RFC 3261 20.34)."""
    def add_contact_alias(self) -> None:
        """Gives each Contact URI an `alias` parameter with the source of this request: in-dialog requests to it go
        there, through the NAT.
        """
    def set_contact_uri(self, value: _Address) -> None:
        """Replaces the URI of each Contact; their parameters stay."""
    def set_contact_user(self, value: str) -> None:
        """Replaces the user part of each Contact URI; an empty text removes it."""
    def fix_nated_register(self) -> None:
        """Has `registrar.save` keep the source of this REGISTER as the way to its contacts."""
    def fix_nated_contact(self) -> None:
        """Replaces host and port of each Contact URI by the source of the request, so that in-dialog requests come
        back through the NAT.
        """
    def force_send_via(self, transport: Literal["udp", "tcp", "UDP", "TCP"], target: _Address) -> None:
        """Has a later `relay()` send to this address over this transport, `udp` or `tcp`, whatever Route and
        Request-URI say. Raises ValueError for another transport.
        """
    def get_reply_header(self, name: str) -> str | None:
        """The first of `reply_headers` of that name, in any case; None when there is none."""
    def set_reply_header(self, name: str, value: _Value) -> None:
        """Gives the responses made or forwarded here on the transaction this header field, in place of earlier
        ones of that name. Raises ValueError for CR, LF or NUL.
        """
    def add_reply_header(self, name: str, value: _Value) -> None:
        """Gives the responses made or forwarded here on the transaction one more header field. Raises ValueError
        for CR, LF or NUL.
        """
    def set_reply_body(self, body: bytes | str, content_type: str) -> None:
        """The body of a `reply` made afterwards without one of its own."""

@final
class Reply:
    """A SIP response on a relayed request, or the answer to a request of our own. It is forwarded when the handler
    returns, unless it is dropped or rejected (RFC 3261 16.7).
    """
    @property
    def status_code(self) -> int:
        """The status code, 100 to 699 (RFC 3261 7.2)."""
    @property
    def reason(self) -> str:
        """The reason phrase; may be empty."""
    @property
    def from_uri(self) -> SipUri:
        """The URI of From: who sent the request."""
    @property
    def to_uri(self) -> SipUri:
        """The URI of To: whom it was for."""
    @property
    def from_tag(self) -> str | None:
        """The tag of From; None when it has none."""
    @property
    def to_tag(self) -> str | None:
        """The tag of To; None on a 100 (RFC 3261 8.2.6.2)."""
    @property
    def call_id(self) -> str:
        """The Call-ID of the request."""
    @property
    def body(self) -> bytes | None:
        """The body's octets; None when there is none."""
    @property
    def content_type(self) -> str | None:
        """The text of Content-Type, parameters included; None when there is none."""
    @property
    def source_ip(self) -> str | None:
        """The address it came from; None for a response that was made here."""
    @property
    def source_port(self) -> int | None:
        """The port it came from; None for a response that was made here."""
    @property
    def is_local(self) -> bool:
        """Whether it was made here, not received: 408 for a branch without an answer, 503 for one that cannot be
        reached (RFC 3261 16.9).
        """
    def get_header(self, name: str) -> str | None:
        """The text of the first header field of that name, in any case or compact form; None when there is none."""
    def header(self, name: str) -> str | None:
        """The same as `get_header`."""
    def get_headers(self, name: str) -> list[str]:
        """The values of all header fields of that name, in order; lists are split at their commas (RFC 3261
        7.3.1).
        """
    def has_header(self, name: str) -> bool:
        """Whether there is a header field of that name."""
    def has_body(self, content_type: str) -> bool:
        """Whether there is a body of that media type, in any case and whatever its parameters; also as a part of a
        multipart.
        """
    def set_header(self, name: str, value: _Value) -> None:
        """Replaces all header fields of that name by one. Raises ValueError for Via, CSeq, Call-ID and
        Content-Length, which belong to the engine, and for CR, LF or NUL.
        """
    def add_header(self, name: str, value: _Value) -> None:
        """Adds a header field below those of that name. Raises as `set_header` does."""
    def remove_header(self, name: str) -> None:
        """Removes all header fields of that name. Raises as `set_header` does."""
    def remove_headers_matching(self, prefix: str) -> None:
        """Removes the header fields whose name, in its long form, the pattern matches from the start, in any case.
        A linear-time regular expression. Raises ValueError for a pattern that is none.
        """
    def set_body(self, body: bytes | str, content_type: str | None = None) -> None:
        """Replaces the body; Content-Length follows. Without `content_type` the old one stays; where there is
        none, `text/plain` for text and `application/octet-stream` for octets.
        """
    def relay(self) -> None:
        """Changes nothing: the reply is forwarded anyway."""
    def forward(self) -> None:
        """Changes nothing: the reply is forwarded anyway."""
    def drop(self) -> None:
        """Does not forward this provisional reply. Raises ValueError for a final one: the caller would wait for
        ever.
        """
    def reject(self, code: int, reason: str | None = None) -> bool:
        """Answers the request with this failure, 300 to 699, instead, and cancels what still rings. False when
        something was decided already. Raises ValueError for another code.
        """

@final
class Call:
    """A call of two legs: the caller's, whose INVITE it shows, and the one that is dialled. It belongs to its
    handler; what outlives it is in `vars`.
    """
    @property
    def id(self) -> str:
        """Our name of the call: the same for both legs and all its life, in every log line."""
    @property
    def state(self) -> _CallState:
        """How far it has come: `calling`, `ringing`, `answered` or `terminating`."""
    @property
    def source_ip(self) -> str:
        """The address that the INVITE came from, as text."""
    @property
    def source_port(self) -> int:
        """The port that the INVITE came from."""
    @property
    def transport(self) -> _Transport:
        """The transport that the INVITE came over, in lower case: `udp` or `tcp` in this version."""
    @property
    def flow(self) -> Flow:
        """The path that the INVITE came by."""
    @property
    def auth_user(self) -> str | None:
        """The user whose credentials `auth.require_*` or `verify_digest` accepted; None before. It is known to all
        later handlers of the call. It may be set, for a script with a check of its own.
        """
    @auth_user.setter
    def auth_user(self, value: str | None) -> None: ...
    @property
    def from_uri(self) -> SipUri:
        """The URI of From (RFC 3261 20.20), after any `set_from_*`."""
    @property
    def to_uri(self) -> SipUri:
        """The URI of To (RFC 3261 20.39): whom the caller meant."""
    @property
    def ruri(self) -> SipUri:
        """The Request-URI of the INVITE (RFC 3261 7.1), after any `set_ruri_user`."""
    @property
    def call_id(self) -> str:
        """The Call-ID of the caller's leg (RFC 3261 20.8). The other leg has its own unless `keep_call_id` was
        said.
        """
    @property
    def callee(self) -> SipUri | None:
        """The Request-URI of the leg that answered, or was dialled last; None before."""
    @property
    def body(self) -> bytes | None:
        """The octets of the INVITE's body; None when there is none."""
    @property
    def content_type(self) -> str | None:
        """The text of the INVITE's Content-Type, parameters included; None when there is none."""
    @property
    def media(self) -> MediaHandle:
        """The media of the call."""
    @property
    def vars(self) -> CallVars:
        """Values of the script's own that belong to the call."""
    @property
    def refer_to(self) -> str | None:
        """In `on_refer`, whom the call is to be transferred to: the URI of Refer-To without its Replaces (RFC 3515
        2.1); else None.
        """
    @property
    def refer_replaces(self) -> str | None:
        """In `on_refer`, the Replaces of an attended transfer (RFC 3891): Call-ID, `to-tag` and `from-tag`; else
        None.
        """
    @property
    def refer_from(self) -> _Side | None:
        """In `on_refer`, who wants the transfer: `caller` or `callee`; else None."""
    def source_ip_in(self, networks: str | Sequence[str]) -> bool:
        """Whether the INVITE's source address lies in one of the networks, each written `192.0.2.0/24`,
        `2001:db8::/32` or as one address. Raises ValueError for text that is neither.
        """
    def reject(self, code: int, reason: str | None = None, headers: Mapping[str, _Value] | None = None) -> None:
        """Decides: refuses the call with this failure, 300 to 699 (RFC 3261 21). Without `reason` the registered
        phrase is used. `headers` are added to the response. A leg that rings is cancelled.
        """
    def answer(
        self,
        code: int = 200,
        reason: str | None = None,
        body: str | bytes | None = None,
        content_type: str | None = None,
    ) -> None:
        """Decides: answers the caller from here, with 200 to 299: this node is the other side. `body` is octets or
        text, `application/sdp` unless `content_type` says otherwise.
        """
    def progress(
        self,
        code: int = 180,
        reason: str | None = None,
        body: str | bytes | None = None,
        content_type: str | None = None,
    ) -> None:
        """Sends the caller a provisional response, 101 to 199, and decides nothing. `body` as for `answer`."""
    def dial(
        self,
        uri: _Dialled | Iterable[_Dialled],
        timeout: _Duration | None = None,
        next_hop: _Address | None = None,
        flow: Flow | None = None,
        header_policy: _HeaderPolicy | None = None,
        copy: str | Iterable[str] | None = None,
        strip: str | Iterable[str] | None = None,
        translate: Mapping[str, str] | None = None,
        route: _Address | Iterable[_Address] | None = None,
        send_socket: str | None = None,
        auth_passthrough: bool = False,
        number_policy: None = None,
        follow_redirects: bool = False,
    ) -> None:
        """Decides: calls the other side. `uri` is whom: text, a SipUri, a Contact, a gateway's destination, or a
        list of them, which ring all at once. A Contact, or the `uri` of one, is called along its Path and flow.
        A SIP URI that names no user gets that of the Request-URI, so that `dial("sip:carrier.example.net")`
        asks it for the number.

        `timeout` is how long a target may take to answer, in seconds or as `"10s"`. `next_hop` is where the
        INVITE is sent instead, `flow` along which path, `route` the Route values on top, `send_socket` from
        which listener.

        `header_policy` is `topology-hiding`, `trunk` or `transparent`; default: `b2bua.default_header_policy`
        of the YAML. `copy` names header fields that pass besides, `strip` those that do not, `translate` maps a
        name to the one under which it arrives. What the script set or changed passes.

        With `auth_passthrough` the caller answers a challenge of the other side. With `follow_redirects` a 3xx
        is followed (RFC 3261 8.1.3.4). No target is answered 480. Raises TypeError when the target is None,
        ValueError for text that is no URI and for a `number_policy`, which is not in this version.
        """
    def fork(
        self,
        targets: Iterable[_Dialled],
        strategy: _Strategy = "parallel",
        timeout: _Duration | None = None,
        header_policy: _HeaderPolicy | None = None,
        copy: str | Iterable[str] | None = None,
        strip: str | Iterable[str] | None = None,
        translate: Mapping[str, str] | None = None,
        send_socket: str | None = None,
        auth_passthrough: bool = False,
        number_policy: None = None,
        follow_redirects: bool = False,
        failover: Sequence[int] | None = None,
    ) -> None:
        """Decides: calls several targets; the first that answers has the call, and the others are cancelled.

        `strategy` `parallel` rings all at once; `sequential` one after the other in the order given; `q` (or
        `preference`) one group of equal `q` after the other, best first. `timeout` is per target. `failover`
        names the codes at which the next is tried; without it any failure but 6xx. The other keywords are those
        of `dial`.
        """
    def terminate(self, reason: str | None = None) -> None:
        """Decides: ends the call on both sides, whatever state they are in. `reason` is the text of Reason (RFC
        3326).
        """
    def accept_refer(
        self,
        target: _Address | None = None,
        next_hop: _Address | None = None,
        mode: Literal["terminate", "transparent"] | None = None,
    ) -> None:
        """Decides, in `on_refer`: transfers the call (RFC 3515). `target` instead of Refer-To, `next_hop` where
        its INVITE is sent. `mode` `terminate` has this node call the target and join it with the side that
        stays, `transparent` hands the REFER on; default: `b2bua.default_refer_mode` of the YAML.
        """
    def reject_refer(self, code: int = 603, reason: str | None = None) -> None:
        """Decides, in `on_refer`: refuses the transfer with this failure, 300 to 699; the call goes on."""
    def refer(self, target: _Address, replaces: str | None = None, to: _Side = "caller") -> None:
        """Asks a side, `caller` or `callee`, to call `target` instead (RFC 3515). `replaces` (Call-ID, `to-tag`
        and `from-tag` as in RFC 3891 6.1) names the dialog to take over there. Decides nothing.
        """
    def session_timer(
        self, expires: _Duration, min_se: _Duration | None = None, refresher: Literal["uac", "uas", "b2bua"] = "uac"
    ) -> None:
        """Sets the session timer of both legs (RFC 4028), in seconds: Session-Expires, Min-SE (90 at least), and
        who refreshes: `uac`, `uas` or `b2bua`. Default: `session_timer` of the YAML.
        """
    def keep_call_id(self) -> None:
        """Gives the B-leg the Call-ID of the A-leg, for peers that need it."""
    def set_credentials(self, username: str, password: str) -> None:
        """What challenges of the other side are answered with (RFC 3261 22)."""
    def max_duration(self, seconds: _Duration) -> None:
        """Ends the call this long after its answer: seconds, or `"1h"`."""
    def set_ruri_user(self, value: str) -> None:
        """Replaces the user part of the Request-URI, which targets without a user are asked for. Raises ValueError
        for a tel URI.
        """
    def restrict_caller_id(self) -> None:
        """Hides who calls: From becomes anonymous, and Privacy `id` asks everybody who knows to say nothing (RFC
        3323, RFC 3325).
        """
    def set_caller_id(self, number: str) -> bool:
        """Gives From, P-Asserted-Identity, P-Preferred-Identity and Remote-Party-ID another number; display names
        go with the old one. False when the caller withholds the number; then nothing is changed.
        """
    def set_from_user(self, value: str) -> None:
        """Replaces the user part of the From URI, or the number of a tel URI."""
    def set_to_user(self, value: str) -> None:
        """Replaces the user part of the To URI, or the number of a tel URI."""
    def set_from_host(self, value: str) -> None:
        """Replaces host, or `host:port`, of the From URI. Raises ValueError for a tel URI."""
    def set_to_host(self, value: str) -> None:
        """Replaces host, or `host:port`, of the To URI. Raises ValueError for a tel URI."""
    def set_from_uri(self, value: _Address) -> None:
        """Replaces the URI of From; the display name stays."""
    def set_to_uri(self, value: _Address) -> None:
        """Replaces the URI of To; the display name stays."""
    def set_contact_user(self, value: str) -> None:
        """Gives the Contact of the B-leg this user part; an empty text takes it away."""
    def set_contact_uri(self, value: _Address) -> None:
        """Gives the B-leg this Contact URI. In-dialog requests of the other side go there: it must lead to this
        node.
        """
    def get_header(self, name: str) -> str | None:
        """The text of the INVITE's first header field of that name, in any case or compact form; None when there
        is none.
        """
    def header(self, name: str) -> str | None:
        """The same as `get_header`."""
    def get_headers(self, name: str) -> list[str]:
        """The values of all header fields of that name, in order; lists are split at their commas (RFC 3261
        7.3.1).
        """
    def has_header(self, name: str) -> bool:
        """Whether the INVITE has a header field of that name."""
    def set_header(self, name: str, value: _Value) -> None:
        """Gives the INVITE of the B-leg this header field, in place of all of that name; it passes whatever
        `header_policy` says. Raises ValueError for Via, CSeq, Call-ID and Content-Length, which belong to the
        engine, and for CR, LF or NUL; RuntimeError once the call was dialled.
        """
    def add_header(self, name: str, value: _Value) -> None:
        """Gives the INVITE of the B-leg one more header field of that name. Otherwise as `set_header`."""
    def remove_header(self, name: str) -> None:
        """Removes all header fields of that name. Raises as `set_header` does."""
    def remove_headers_matching(self, prefix: str) -> None:
        """Removes the header fields whose name, in its long form, the pattern matches from the start, in any case:
        `"X-"` and `"^X-"` do the same. A linear-time regular expression. What a message cannot do without
        stays.
        """
    def set_body(self, body: str | bytes, content_type: str | None = None) -> None:
        """Replaces the body that the B-leg gets. Without `content_type` the old one stays; where there is none,
        `text/plain` for text and `application/octet-stream` for octets.
        """

@final
class CallVars:
    """The values of a call, as a mapping: they outlive the handler, and a reload of the script. Names are text,
    values None, bool, int, float or str; None is the same as absence. At most 63, names and texts of 4096
    octets at most. What changes is kept when the handler returns or awaits; an exception takes it back.
    """
    def __len__(self) -> int: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __getitem__(self, name: str, /) -> _Var: ...
    def __setitem__(self, name: str, value: _Var, /) -> None: ...
    def __delitem__(self, name: str, /) -> None: ...
    def __iter__(self) -> Iterator[str]: ...
    def get(self, name: str, default: Any = None) -> Any:
        """The value of that name; `default` when there is none."""
    def pop(self, name: str, default: Any = None) -> Any:
        """Takes a value out and gives it; `default` when there is none."""
    def update(self, values: Mapping[str, _Var] | None = None, **more: _Var) -> None:
        """Attaches the values of a mapping, or of keywords."""
    def keys(self) -> list[str]:
        """The names, in the order of first attachment."""
    def values(self) -> list[_Var]:
        """The values, in the same order."""
    def items(self) -> list[tuple[str, _Var]]:
        """Pairs of name and value, in the same order."""

@final
class MediaHandle:
    """The media of a call: whether it passes through the media engine of this node."""
    def anchor(self, engine: Literal["rtpengine"] = "rtpengine", profile: str | None = None) -> None:
        """Has the media of the call pass through the media engine: offers before the B-leg is called, answers,
        follows re-INVITE and UPDATE, and ends with the call. Saying it twice is saying it once.

        `profile` is one of `media.profiles` or a built-in one; without it each leg is served as its own SDP and
        transport say. Raises RuntimeError where the YAML has no `media`, ValueError for an engine that is not
        `rtpengine`.
        """
    def release(self) -> None:
        """Takes the media engine out of the call, or frees what it holds for it. Twice, or without `anchor`, is no
        error.
        """
    @property
    def is_active(self) -> bool:
        """Whether the media is anchored, or will be when the handler returns."""

@final
class ByeInitiator:
    """Which side ended a call. `str()` is `caller`, `callee`, or `siphon` for a timer, an operator or a script; it
    equals these texts.
    """
    @property
    def side(self) -> Literal["a", "b", "siphon"]:
        """`a` for the caller, `b` for the callee, `siphon` for this node."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class SipUri:
    """A SIP, SIPS or tel URI (RFC 3261 19.1, RFC 3966). `==` is RFC 3261 19.1.4; `str()` is its text. The `uri` of
    a Contact remembers its binding: relaying or forking to it takes Path and flow. `SipUri(text)` takes text,
    also a name-addr, a SipUri or a Contact, and raises ValueError for anything else.
    """
    def __new__(cls, text: _Address) -> Self: ...
    @property
    def scheme(self) -> str:
        """`sip`, `sips`, `tel` or another scheme, in lower case."""
    @property
    def user(self) -> str | None:
        """The user part without escapes, or the number of a tel URI; None when there is none."""
    @property
    def host(self) -> str:
        """The host as written; an IPv6 address in brackets; empty for a tel URI."""
    @property
    def port(self) -> int | None:
        """The port; None when none is written, which is not the same as 5060 (RFC 3261 19.1.4)."""
    @property
    def transport(self) -> str | None:
        """The `transport` parameter in lower case; None when there is none."""
    @property
    def is_tel(self) -> bool:
        """Whether it is a tel URI (RFC 3966)."""
    @property
    def is_local(self) -> bool:
        """Whether it names this node: one of its own addresses or of `domain.local`. An entry with a port matches
        that port alone.
        """
    def param(self, name: str) -> str | None:
        """The value of a URI parameter, its name in any case; an empty text for a flag such as `lr`; None when it
        is absent.
        """
    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Contact:
    """A binding of an address of record, as it was when it was looked up (RFC 3261 10). `str()` is its URI."""
    @property
    def uri(self) -> SipUri:
        """The contact URI. It remembers its binding: relaying or forking to it takes Path, flow and received
        address, as passing the Contact does.
        """
    @property
    def q(self) -> float:
        """The preference, 0.0 to 1.0 (RFC 3261 20.10). Default 1.0."""
    @property
    def expires(self) -> int:
        """Seconds it has left."""
    @property
    def age_secs(self) -> int:
        """Seconds since its last REGISTER."""
    @property
    def path(self) -> list[str]:
        """The Path it registered with, topmost first; requests to it go that way (RFC 3327)."""
    @property
    def received(self) -> str | None:
        """`address:port` that the REGISTER came from, where the contact URI says otherwise; else None."""
    @property
    def flow(self) -> Flow | None:
        """The path of the REGISTER, where requests must go back along it; else None."""
    @property
    def user_agent(self) -> str | None:
        """User-Agent of the REGISTER; None when it had none."""
    @property
    def instance_id(self) -> str | None:
        """The `+sip.instance` of the phone; None when it gave none (RFC 5626 4.1)."""
    @property
    def reg_id(self) -> int | None:
        """The `reg-id` of the flow; None when it gave none (RFC 5626 4.2)."""
    @property
    def is_local(self) -> bool:
        """Whether the contact URI names this node."""
    @property
    def params(self) -> dict[str, str | None]:
        """Other parameters of the Contact header field, such as RFC 3840 feature tags; a flag has the value None."""

@final
class Flow:
    """The path a message took: transport, both ends, connection (RFC 5626)."""
    @property
    def transport(self) -> _Transport:
        """The transport in lower case: `udp` or `tcp` in this version."""
    @property
    def remote_addr(self) -> str:
        """`address:port` of the other end."""
    @property
    def local_addr(self) -> str:
        """`address:port` of this end."""
    @property
    def connection_id(self) -> str | None:
        """Names the connection within this node; None for UDP."""
    @property
    def is_alive(self) -> bool:
        """Whether it led somewhere when it was asked for."""

@final
class Sdp:
    """A session description (RFC 8866). `bytes()` and `str()` are its text: what was not edited is as it came,
    octet for octet. `apply` puts it into a message. Names of attributes are compared with their case, names of
    codecs without.
    """
    @property
    def origin(self) -> str | None:
        """What the `o=` line says (RFC 8866 5.2); None when there is none."""
    @property
    def session_name(self) -> str | None:
        """What the `s=` line says (RFC 8866 5.3); None when there is none."""
    @property
    def connection(self) -> str | None:
        """What the session's `c=` line says, such as `IN IP4 192.0.2.1` (RFC 8866 5.7); None when there is none."""
    @property
    def attrs(self) -> list[str]:
        """The session's attributes, each the text behind `a=`, in order. Setting them replaces all, and no other
        line.
        """
    @attrs.setter
    def attrs(self, value: Sequence[str]) -> None: ...
    @property
    def media(self) -> list[MediaSection]:
        """The media sections, in order."""
    @property
    def is_held(self) -> bool:
        """Whether the whole session is on hold: each section that is not rejected is (RFC 3264 8.4)."""
    def get_attr(self, name: str) -> str | None:
        """The value of the session's first attribute of that name; an empty text for a flag such as `ice-lite`;
        None when it is absent.
        """
    def set_attr(self, name: str, value: str | int | None = None) -> None:
        """Replaces the session's attributes of that name by one, or adds it behind the others; without a value as
        a flag. Raises ValueError for a name that is none, for CR, LF or NUL, and over 2048 lines.
        """
    def remove_attr(self, name: str) -> None:
        """Removes the session's attributes of that name."""
    def has_attr(self, name: str) -> bool:
        """Whether the session has an attribute of that name."""
    def filter_codecs(self, keep: Sequence[str]) -> None:
        """Keeps these codecs and removes all others from every RTP section, with the lines about them. The list is
        complete: name `telephone-event` to keep it. A name is one such as `PCMA`, in any case, or `opus/48000`.

        A section that loses its last codec is rejected: port 0 and one format (RFC 3264 6). `telephone-event`
        and `CN` go with the last codec of their clock rate, `rtx` and `red` with what they are about.
        """
    def remove_codecs(self, remove: Sequence[str]) -> None:
        """Removes these codecs from every RTP section, with the lines about them, and what served only them. As
        for `filter_codecs`.
        """
    def reorder_codecs(self, preference: Sequence[str]) -> None:
        """Puts these codecs first in every RTP section, in this order; the others follow in theirs."""
    def remove_media(self, media_type: str) -> None:
        """Rejects the sections of that type, such as `video`: port 0, one format, and out of the bundle (RFC 3264
        6, RFC 9143 7.3.3). They stay in `media`: an answer has a section for each of the offer, whoever removed
        what.
        """
    def set_address(self, address: str, rtcp: bool = True) -> None:
        """Makes all media go to this IP address: every `c=` line and, with `rtcp`, the addresses of `a=rtcp`. A
        line with 0.0.0.0 stays, as the stream is held. Raises ValueError for text that is no address.
        """
    def hold(self) -> None:
        """Puts the other side on hold: `sendrecv` becomes `sendonly` and `recvonly` becomes `inactive`, in every
        section that is not rejected (RFC 3264 8.4).
        """
    def resume(self) -> None:
        """Takes the other side from hold: `sendonly` becomes `sendrecv` and `inactive` becomes `recvonly`."""
    def apply(self, target: Request | Reply | Call) -> None:
        """Puts the description into a request, a reply or the INVITE of a call: in place of the one it has, in a
        multipart body in place of that part, else as the body, of type `application/sdp`. Raises RuntimeError
        when the request was relayed already.
        """
    def __bytes__(self) -> bytes: ...

@final
class MediaSection:
    """A media section of an `Sdp`: an `m=` line and the lines below it (RFC 8866 5.14). Edits are edits of that
    `Sdp`.
    """
    @property
    def media_type(self) -> str:
        """`audio`, `video`, `text`, `application`, `message`, `image` or another."""
    @property
    def port(self) -> int:
        """The port; 0 when the section is rejected (RFC 3264 6). It may be set, 0 to 65535; a number of ports that
        stands behind it stays, but for port 0.
        """
    @port.setter
    def port(self, value: int) -> None: ...
    @property
    def protocol(self) -> str:
        """The transport protocol, such as `RTP/AVP`; empty when the line has none."""
    @property
    def codecs(self) -> list[str]:
        """The encoding names of the codecs, best first, those of static payload types included (RFC 3551 6). A
        payload type that nothing names is its number as text. Empty unless the section is RTP.
        """
    @property
    def connection(self) -> str | None:
        """What its own `c=` line says; None when it has none, and that of the `Sdp` holds (RFC 8866 5.7)."""
    @property
    def attrs(self) -> list[str]:
        """Its attributes, each the text behind `a=`, in order. Setting them replaces all, and no other line."""
    @attrs.setter
    def attrs(self, value: Sequence[str]) -> None: ...
    @property
    def direction(self) -> _Direction:
        """`sendrecv`, `sendonly`, `recvonly` or `inactive`: what the section says, else what the session says,
        else `sendrecv` (RFC 8866 6.7). It may be set. Raises ValueError for another text.
        """
    @direction.setter
    def direction(self, value: _Direction) -> None: ...
    @property
    def is_held(self) -> bool:
        """Whether its sender holds the stream: it says `sendonly` or `inactive`, or gives the address 0.0.0.0
        without ICE (RFC 3264 8.4). A rejected section is not held.
        """
    @property
    def is_rejected(self) -> bool:
        """Whether it is rejected: its port is 0, and it is not a part of a bundle that has the port of another
        (RFC 3264 6, RFC 9143 6).
        """
    def get_attr(self, name: str) -> str | None:
        """The value of its first attribute of that name; an empty text for a flag such as `rtcp-mux`; None when it
        is absent.
        """
    def set_attr(self, name: str, value: str | int | None = None) -> None:
        """Replaces its attributes of that name by one, or adds it behind the others; without a value as a flag.
        Raises ValueError as `Sdp.set_attr` does.
        """
    def remove_attr(self, name: str) -> None:
        """Removes its attributes of that name."""
    def has_attr(self, name: str) -> bool:
        """Whether it has an attribute of that name."""

@final
class TimerHandle:
    """A timer that was set."""
    @property
    def key(self) -> str:
        """The key it was set under."""
    def cancel(self) -> bool:
        """Cancels it. False when it fired or was cancelled already."""

@final
class Counter:
    """A metric that only goes up."""
    def inc(self, n: float = 1.0) -> None:
        """Adds `n`, 1 by default. Raises ValueError for less than 0, and where labels are missing."""
    def labels(self, **values: object) -> Counter:
        """The series with these values of the labels. Raises ValueError unless exactly the labels of the
        definition are given. Past 1000 series of a metric, new ones are not counted.
        """

@final
class Gauge:
    """A metric that goes up and down."""
    def inc(self, n: float = 1.0) -> None:
        """Adds `n`, 1 by default."""
    def dec(self, n: float = 1.0) -> None:
        """Takes `n` away, 1 by default."""
    def set(self, v: float) -> None:
        """Sets the value."""
    def labels(self, **values: object) -> Gauge:
        """The series with these values of the labels. Raises ValueError unless exactly the labels of the
        definition are given. Past 1000 series of a metric, new ones are not counted.
        """

@final
class Histogram:
    """A metric that counts observations by size."""
    def observe(self, v: float) -> None:
        """Counts one observation of this size."""
    def labels(self, **values: object) -> Histogram:
        """The series with these values of the labels. Raises ValueError unless exactly the labels of the
        definition are given. Past 1000 series of a metric, new ones are not counted.
        """

@final
class Awaitable(Generic[_T_co]):
    """What calls marked "awaitable" give in an `async def` handler; awaiting it gives the value, once. In a plain
    `def` they give the value itself. It has no truth value, so that a forgotten `await` is noticed.
    """
    def __await__(self) -> Generator[Any, None, _T_co]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Self: ...
    def __bool__(self) -> NoReturn: ...
    @classmethod
    def __class_getitem__(cls, item: Any, /) -> type[Self]: ...

class TransactionEnded(RuntimeError):
    """Raised by a verb after the transaction ended while the handler was parked: nothing it decides has an effect."""
class MediaError(RuntimeError):
    """Raised by a call of `rtpengine` that no media engine did: it refused, did not answer in time, or none is up."""
class Cancelled(Exception):
    """Raised at an `await` when the client cancelled, or the transaction ended otherwise (RFC 3261 9)."""

@final
class _ProxyUtils:
    """Checks against floods and malformed requests: `proxy._utils`."""
    def rate_limit(self, request: Request | Call, window_secs: float, max_requests: int) -> bool:
        """Counts the request against its source address. When that sent more than `max_requests` in a window of so
        many seconds the result is False, and the 503 with Retry-After is recorded.
        """
    def sanity_check(self, request: Request | Call) -> bool:
        """False when something is missing or malformed that serving the request takes; the 400 or 483 is recorded
        (RFC 3261 16.3).
        """
    def memory_used_pct(self) -> int:
        """Share of the machine's memory in use, in percent."""

@final
class _Proxy:
    """The decorators of a proxy script, requests of its own, and checks."""
    @overload
    def on_request(self, fn_or_filter: _OnRequest) -> _OnRequest:
        """Decorator: `f(request)` is called for every new request, in-dialog requests and the ACK to a 2xx
        included; with a filter such as `"INVITE|SUBSCRIBE"` for those methods only. CANCEL, retransmissions and
        the ACK to a failure never come (RFC 3261 16.10, 17.2). A method without a handler is routed by the
        engine.
        """
    @overload
    def on_request(self, fn_or_filter: str | None = None) -> Callable[[_OnRequest], _OnRequest]: ...
    def on_reply(self, function: _OnReply) -> _OnReply:
        """Decorator: `f(request, reply)` is called for each response on a relayed request but 100; it is forwarded
        unless the handler says otherwise (RFC 3261 16.7).
        """
    def on_failure(self, function: _OnReply) -> _OnReply:
        """Decorator: `f(request, reply)` is called once, with the best final response of 300 or more of the whole
        transaction (RFC 3261 16.7 step 6); a time-out arrives as a local 408. Never after CANCEL. It may relay,
        fork or reply; doing nothing sends the response up.
        """
    def on_cancel(self, function: _OnRequest) -> _OnRequest:
        """Decorator: `f(request)` is called when the client cancels a relayed INVITE, which is answered already
        (RFC 3261 16.10). It decides nothing.
        """
    def send_request(
        self,
        method: str,
        ruri: _Address,
        headers: Mapping[str, _Value] | None = None,
        body: bytes | str | None = None,
        next_hop: _Address | None = None,
        wait_for_response: bool = False,
        timeout_ms: _Duration | None = None,
    ) -> Awaitable[Reply | None]:
        """Awaitable: sends a request of our own, outside any dialog (RFC 3261 8.1).

        With `wait_for_response` the result is the final Reply, or None when none came within `timeout_ms`
        milliseconds (or `"2s"`; default 2 s); otherwise None at once. `headers` are added to what the engine
        makes; a Route among them is followed unless `next_hop` is given. It leaves with what the handler
        records, and is dropped with it. Raises ValueError for ACK, CANCEL and text that is no URI.
        """
    def rate_limit(self, request: Request | Call, window_secs: float, max_requests: int) -> bool:
        """Counts the request against its source address. When that sent more than `max_requests` in a window of so
        many seconds the result is False, and the 503 with Retry-After is recorded.
        """
    def sanity_check(self, request: Request | Call) -> bool:
        """False when something is missing or malformed that serving the request takes; the 400 or 483 is recorded
        (RFC 3261 16.3).
        """
    @property
    def _utils(self) -> _ProxyUtils:
        """The checks under the place that older scripts know."""

@final
class _B2bua:
    """The decorators of a script for calls: this node is the other end of both legs (RFC 3261 6). An INVITE
    outside any dialog goes to `on_invite` when there is one; everything inside a call it made goes to the call,
    and never to `proxy.on_request`.
    """
    def on_invite(self, function: _OnCall) -> _OnCall:
        """Decorator: `f(call)` is called for each INVITE that may begin a call. It dials, forks, answers, rejects
        or terminates; deciding nothing is answered 500.
        """
    def on_early_media(self, function: _OnCallReply) -> _OnCallReply:
        """Decorator: `f(call, reply)` is called for each provisional response of a B-leg but 100. It goes to the
        caller, with the handler's edits, unless the handler drops it.
        """
    def on_answer(self, function: _OnCallReply) -> _OnCallReply:
        """Decorator: `f(call, reply)` is called when a B-leg answers. The 2xx goes to the caller, with the
        handler's edits.
        """
    def on_failure(self, function: _OnCallFailure) -> _OnCallFailure:
        """Decorator: `f(call, code, reason)` is called once per dial, when every target has failed; never after
        the caller gave up. It may dial again, reject, or do nothing: then the best response goes to the caller.
        A media engine that fails comes as 503 `media`.
        """
    def on_bye(self, function: _OnBye) -> _OnBye:
        """Decorator: `f(call, initiator)` is called when an answered call ends; the initiator is the caller, the
        callee or siphon. Nothing is awaited.
        """
    def on_refer(self, function: _OnCall) -> _OnCall:
        """Decorator: `f(call)` is called when a side wants to transfer the call (RFC 3515). It accepts or rejects;
        doing nothing is what `b2bua.default_refer_mode` of the YAML says.
        """
    def on_cancel(self, function: _OnCall) -> _OnCall:
        """Decorator: `f(call)` is called when the caller gives up before an answer (RFC 3261 9). It decides
        nothing.
        """

@final
class _Registrar:
    """The location service of the node: addresses of record and their bindings (RFC 3261 10)."""
    def save(
        self,
        request: Request,
        force: bool = False,
        aliases: Sequence[str] | None = None,
        flow_token: None = None,
    ) -> bool:
        """Stores the bindings of a REGISTER and records the answer: 200 with the contacts, Path, Service-Route and
        GRUU, or 400, 403, 423, 500, 503 (RFC 3261 10.3). True when they are stored. The answer leaves when the
        handler returns.

        `force` has them replace all others of the address of record, whatever Call-ID and CSeq say. `aliases`
        are further addresses of record that share them. A later `reply` with 300 or more takes them back.
        Raises ValueError for a `flow_token`, which is not in this version.
        """
    def lookup(self, uri: _Address) -> list[Contact]:
        """The bindings of an address of record, best `q` first, also for an alias or a GRUU (RFC 5627); an empty
        list when nobody is registered. Text without a scheme counts as `sip:`. Raises ValueError for text that
        is no URI.
        """
    def is_registered(self, uri: _Address) -> bool:
        """Whether the address of record has a binding."""
    def remove(self, uri: _Address) -> bool:
        """Removes all bindings of an address of record at once. True when there were any."""
    def expire(self, uri: _Address) -> bool:
        """Removes all bindings of an address of record, as the end of their time would. True when there were any."""
    def aor_count(self) -> Awaitable[int]:
        """Awaitable: how many addresses of record have bindings."""
    def on_change(self, function: _OnChange) -> _OnChange:
        """Decorator: `f(aor, event_type, contacts)` is called after bindings changed, with the address of record,
        `registered`, `refreshed`, `deregistered` or `expired`, and the contacts that are left. It decides
        nothing.
        """

@final
class _Auth:
    """Digest authentication against `auth.users`, or against what the script passes (RFC 7616, RFC 3261 22)."""
    def require_www_digest(
        self, target: Request | Call, realm: str | None = None, password: str | None = None, ha1: str | None = None
    ) -> bool:
        """True when the Authorization is right, as a registrar asks for it; `auth_user` has the name then.
        Otherwise False, and the 401 is recorded: the handler just returns (RFC 3261 22.2).

        `realm` defaults to `auth.realm`. With `password`, or `ha1` (hexadecimal MD5 of `user:realm:password`),
        that is checked in place of `auth.users`.
        """
    def require_digest(
        self, target: Request | Call, realm: str | None = None, password: str | None = None, ha1: str | None = None
    ) -> bool:
        """The same as `require_www_digest`."""
    def require_proxy_digest(
        self, target: Request | Call, realm: str | None = None, password: str | None = None, ha1: str | None = None
    ) -> bool:
        """True when the Proxy-Authorization is right; `auth_user` has the name then. Otherwise False, and the 407
        is recorded (RFC 3261 22.3). Arguments as for `require_www_digest`.
        """
    def verify_digest(
        self, target: Request | Call, realm: str | None = None, password: str | None = None, ha1: str | None = None
    ) -> bool:
        """Whether Authorization or, when there is none, Proxy-Authorization is right; decides nothing and
        challenges nobody. Arguments as for `require_www_digest`.
        """

@final
class _Log:
    """The log of the node. Fields are named values: `log.info("a call", caller=user)`. The script's line and the
    Call-ID are added.
    """
    def debug(self, text: object, **fields: object) -> None:
        """Writes a line that `log.level: debug` shows."""
    def info(self, text: object, **fields: object) -> None:
        """Writes a line that `log.level: info` shows."""
    def warn(self, text: object, **fields: object) -> None:
        """The same as `warning`."""
    def warning(self, text: object, **fields: object) -> None:
        """Writes a line about something that needs a look."""
    def error(self, text: object, **fields: object) -> None:
        """Writes a line about something that is broken."""

@final
class _Timer:
    """Handlers that are called by time, and waiting."""
    def every(
        self, seconds: _Duration, name: str | None = None, jitter: _Duration | None = None
    ) -> Callable[[_OnTimer], _OnTimer]:
        """Decorator: `f()` is called every so many seconds (or `"1m"`), once per node, each time up to `jitter`
        later. `name` defaults to the function's and must be unique. Raises ValueError for less than a
        millisecond.
        """
    def set(self, key: str, delay_ms: _Duration, handler: _TimerHandler) -> TimerHandle:
        """Calls `handler()` once, after `delay_ms` milliseconds (or `"30s"`). A timer of the same key is replaced.
        A reload keeps it, with the function it was set with. Raises RuntimeError at 100,000 timers.
        """
    def cancel(self, key: str) -> bool:
        """Cancels the timer of that key. False when there is none, or it fired."""
    def sleep(self, seconds: _Duration) -> Awaitable[None]:
        """Awaitable: parks the handler for so many seconds (or `"500ms"`). What it recorded before takes effect;
        the shard goes on.
        """

@final
class _Cache:
    """What scripts keep from one request to another: the caches of the YAML's `cache`, each by its name, in the
    memory of the node. Full, the least recently used entry goes. An unknown name raises LookupError.
    """
    def fetch(self, name: str, key: str) -> Awaitable[str | None]:
        """Awaitable: the text under `key`; None when there is none, or its time is over."""
    def store(self, name: str, key: str, value: str, ttl: _Duration | None = None) -> Awaitable[bool]:
        """Awaitable: stores text for `ttl` seconds (or `"5m"`), by default for the cache's `local_ttl_secs`. True."""
    def has_cache(self, name: str) -> bool:
        """Whether a cache of that name is configured."""
    def delete(self, name: str, key: str) -> Awaitable[bool]:
        """Awaitable: removes what is under `key`. True when there was something."""
    def exists(self, name: str, key: str) -> Awaitable[bool]:
        """Awaitable: whether there is something under `key`."""
    def expire(self, name: str, key: str, ttl: _Duration) -> Awaitable[bool]:
        """Awaitable: gives what is under `key` another time to live, in seconds from now (or `"5m"`). False when
        there is nothing.
        """
    def list_push(self, name: str, key: str, item: str) -> Awaitable[int | None]:
        """Awaitable: appends to the list under `key`. Its length; None when `key` holds text or the list has
        10,000 items.
        """
    def list_pop_all(self, name: str, key: str) -> Awaitable[list[str]]:
        """Awaitable: takes the whole list under `key`, oldest first; empty when there is none."""
    def list_len(self, name: str, key: str) -> Awaitable[int | None]:
        """Awaitable: the length of the list under `key`, 0 without one; None when `key` holds text."""
    def list_len_sum(self, name: str, prefix: str) -> Awaitable[int]:
        """Awaitable: how many items all lists hold whose key begins with `prefix`."""

@final
class _Metrics:
    """Metrics of the script's own, offered beside those of the node. The same definition after a reload is the
    same metric, and its values go on.
    """
    def counter(self, name: str, help: str, labels: Sequence[str] | None = None) -> Counter:
        """A metric that only goes up. `labels` are the names of its labels. Raises ValueError for a name that is
        none in Prometheus or belongs to another definition.
        """
    def gauge(self, name: str, help: str, labels: Sequence[str] | None = None) -> Gauge:
        """A metric that goes up and down. As for `counter`."""
    def histogram(
        self,
        name: str,
        help: str,
        labels: Sequence[str] | None = None,
        buckets: Sequence[float] | None = None,
    ) -> Histogram:
        """A metric that counts observations by size. `buckets` are the upper bounds, ascending; Prometheus' own by
        default. As for `counter`.
        """

@final
class _RtpEngine:
    """Media through rtpengine. Each call of a proxy script tells by its message whose media are meant."""
    @property
    def active_sessions(self) -> int:
        """How many calls of this node have media sessions that were not deleted; 0 without `media` in the YAML."""
    @property
    def instance_count(self) -> int:
        """How many engines the YAML names; 0 without `media`."""
    def offer(self, request: Request | Reply, profile: str | None = None) -> Awaitable[bool]:
        """Awaitable: anchors the media of the call whose offer this message carries, and replaces its SDP by the
        one to pass on. True; False when it carries none.

        `profile` names how (`media.profiles`, or built in: `auto`, `rtp_passthrough`, `srtp_to_rtp`,
        `rtp_to_srtp`, `webrtc_to_rtp`, `rtp_to_webrtc`, `ws_to_rtp`, `wss_to_rtp`, `ipv4_to_ipv6`,
        `ipv6_to_ipv4`); without it a later offer of the call takes that of the first one, which is `auto`.
        Raises MediaError when no engine did it within its `timeout_ms`, RuntimeError after a relay and without
        `media` in the YAML, ValueError for an unknown profile.

        Of a Call it says what `call.media.anchor()` says; the SDP is replaced when the call is dialled.
        """
    def answer(self, reply: Request | Reply, profile: str | None = None) -> Awaitable[bool]:
        """Awaitable: the same with the message that carries the answer. `profile` is that of the offer when it is
        not given.
        """
    def delete(self, request: Request | Reply) -> Awaitable[bool]:
        """Awaitable: ends the media sessions of the call. True; False when the engine knew none, or did not do it,
        which the log then says: a BYE goes on all the same. Of a Call it is `call.media.release()`.
        """
    def ping(self) -> Awaitable[bool]:
        """Awaitable: whether an engine answers."""
    def query(self, target: Request | Reply) -> Awaitable[dict[str, Any] | None]:
        """Awaitable: what the engine tells about the call, as it tells it: `created`, `tags`, `totals`, … None
        when it knows no such call.
        """
    def block_media(self, target: Request | Reply) -> Awaitable[bool]:
        """Awaitable: passes no media of the message's sender on. True; False when the engine knows no such call."""
    def unblock_media(self, target: Request | Reply) -> Awaitable[bool]:
        """Awaitable: passes them on again."""
    def silence_media(self, target: Request | Reply) -> Awaitable[bool]:
        """Awaitable: passes silence on in place of the audio of the message's sender. True; False when the engine
        knows no such call.
        """
    def unsilence_media(self, target: Request | Reply) -> Awaitable[bool]:
        """Awaitable: passes the audio on again."""
    def play_media(
        self,
        target: Request | Reply,
        file: str | None = None,
        blob: bytes | None = None,
        db_id: int | None = None,
        repeat: int | None = None,
    ) -> Awaitable[int | None]:
        """Awaitable: plays to the sender of the message: a `file` of the engine's machine, the octets of a media
        file as `blob`, or a row `db_id` of its database, `repeat` times. How long it is, in milliseconds; None
        when the engine cannot tell. Raises ValueError unless exactly one of the three is given.
        """
    def stop_media(self, target: Request | Reply) -> Awaitable[bool]:
        """Awaitable: stops what is played to the sender of the message. True; False when the engine knows no such
        call.
        """
    def play_dtmf(
        self,
        target: Request | Reply,
        code: str,
        duration_ms: int | None = None,
        volume_dbm0: int | None = None,
        pause_ms: int | None = None,
    ) -> Awaitable[bool]:
        """Awaitable: puts a DTMF event (`0`-`9`, `*`, `#`, `A`-`D`) into what the sender of the message sends, so
        many milliseconds long and so loud. True; False when the engine knows no such call.
        """
    def start_recording(self, target: Request | Reply, path: str | None = None) -> Awaitable[bool]:
        """Awaitable: records the call, into the file `path` or where the engine puts recordings. True; False when
        the engine knows no such call.
        """
    def stop_recording(self, target: Request | Reply) -> Awaitable[bool]:
        """Awaitable: records the call no more. True; False when the engine knows no such call."""

@final
class _SdpNamespace:
    """Session descriptions: `sdp.parse(request)` gives an `Sdp`, to be read and edited; `apply` puts it back."""
    def parse(self, source: Request | Reply | Call | bytes | str) -> Sdp:
        """The session description of a request or reply, also where it is a part of a multipart body; or the one
        that octets or text are (RFC 8866). Nothing of the message changes until `apply`. Raises ValueError when
        there is none, when it does not begin with `v=0`, has an `m=` line without a port, or goes over the
        limits: 64 KiB, 2048 lines, 64 media sections with 256 formats each.
        """

proxy: _Proxy
b2bua: _B2bua
registrar: _Registrar
auth: _Auth
log: _Log
timer: _Timer
cache: _Cache
metrics: _Metrics
rtpengine: _RtpEngine
sdp: _SdpNamespace
