"""The rows. Each function sends what its row is about, and returns what the peers saw."""

from __future__ import annotations

from migration import KitWire, Wire, row

from siphon_sdk import _digest


@row("`t_relay()`", "`request.relay()`", (69, 2, 200))
def relay(w: Wire) -> object:
    w.request(uri=w.uri("one", "bob"))
    at_one = w.answered()
    return int(at_one["Max-Forwards"]), len(at_one.values("Via")), w.status()


@row('`$du = "sip:…"; t_relay()`', '`request.relay("sip:…")`: the Request-URI stays', ("sip:bob@example.com", 200))
def next_hop(w: Wire) -> object:
    w.request()
    return w.answered().uri, w.status()


@row("`$ru = …`", "`request.set_ruri(…)`", (True, 200))
def ruri(w: Wire) -> object:
    w.request()
    return w.answered().uri == w.uri("one"), w.status()


@row("`$rU = …`", "`request.set_ruri_user(…)`", "sip:edited@example.com")
def ruri_user(w: Wire) -> object:
    w.request()
    return w.answered().uri


@row("`append_branch()` and `t_relay()`", "`request.fork([…])`", (True, True, 200))
def fork(w: Wire) -> object:
    w.request("INVITE")
    at_one, at_two = w.take("one"), w.take("two")
    w.reply("two", at_two, 200)
    return at_one.uri == w.uri("one"), at_two.uri == w.uri("two"), w.status()


@row(
    "`t_load_contacts()`, `t_next_contacts()`, `serialize_branches()`",
    '`request.fork(contacts, strategy="q")` or `"sequential"`',
    (True, True, 200),
)
def serial(w: Wire) -> object:
    w.request("INVITE")
    first = w.answered("one", 486)
    second = w.answered("two", 200)
    return first.uri == w.uri("one"), second.uri == w.uri("two"), w.status()


@row('`is_method("MESSAGE")`', '`@proxy.on_request("MESSAGE")`, or `request.method == "MESSAGE"`', (200, 405))
def method(w: Wire) -> object:
    w.request("MESSAGE")
    first = w.status()
    w.request("INFO")
    return first, w.status()


@row('`t_on_failure("f")`, `failure_route`', "`request.relay(on_failure=f)`, or `@proxy.on_failure` for all", 200)
def failure(w: Wire) -> object:
    w.request("INVITE")
    w.answered("one", 503)
    w.answered("two", 200)
    return w.status()


@row('`t_check_status("486")`', "`reply.status_code`; `reply.is_local` for a time-out", (404, 200))
def status(w: Wire) -> object:
    w.request("INVITE")
    w.answered("one", 404)
    refused = w.status()
    w.request("INVITE")
    w.answered("one", 486)
    w.answered("two", 200)
    return refused, w.status()


@row('`t_on_reply("r")`, `onreply_route`', "`request.relay(on_reply=r)`, or `@proxy.on_reply` for all", "200")
def onreply(w: Wire) -> object:
    w.request()
    w.answered()
    return w.take().header("X-Seen")


@row("`sl_send_reply(…)`, `t_reply(…)`", "`request.reply(code, reason)`", (480, "Gone Fishing"))
def answer(w: Wire) -> object:
    w.request()
    message = w.take()
    return message.status_code, message.reason


@row("`exit` without an answer", "`request.drop()`; deciding nothing is an error and gives 500", ("2 MESSAGE", 480))
def silence(w: Wire) -> object:
    w.request()
    # What comes first belongs to the second request.
    w.request(row="answer")
    message = w.take()
    return message["CSeq"], message.status_code


@row("`record_route()`", "`request.record_route()`", (True, True, 200))
def recorded(w: Wire) -> object:
    w.request("INVITE")
    at_one = w.answered()
    route = at_one["Record-Route"]
    return w.here in route, ";lr" in route, w.status()


@row("`loose_route()`", "`request.loose_route()`, then `request.relay()`", (True, [], 200, 404))
def loose(w: Wire) -> object:
    w.request("INVITE", "recorded")
    w.answered()
    ok = w.take()
    inside = {"X_Row": "", "To": ok["To"], "Call_ID": ok.call_id}
    w.request("BYE", uri=ok.contact or "", Route=ok["Record-Route"], **inside)
    bye = w.answered()
    done = w.status()
    w.request("BYE", uri="sip:bob@example.com", X_Row="", To="<sip:bob@example.com>;tag=unknown")
    return bye.uri == ok.contact, bye.values("Route"), done, w.status()


@row("`has_totag()`", "`request.in_dialog`", (200, 481))
def totag(w: Wire) -> object:
    w.request()
    outside = w.status()
    w.request(To="<sip:bob@example.com>;tag=callee")
    return outside, w.status()


@row('`save("location")`', "`registrar.save(request)`, which answers", (200, True))
def saved(w: Wire) -> object:
    w.request("REGISTER", To="<sip:carol@example.com>", Contact=f"<{w.uri('two', 'carol')}>", Expires="600")
    message = w.take()
    return message.status_code, w.uri("two", "carol") in message["Contact"]


@row('`lookup("location")`', "`registrar.lookup(request.ruri)`, then `request.fork(contacts)`", (200, True, 200, 404))
def found(w: Wire) -> object:
    w.request("REGISTER", "saved", To="<sip:dave@example.com>", Contact=f"<{w.uri('two', 'dave')}>", Expires="600")
    registered = w.status()
    w.request(uri="sip:dave@example.com")
    at_two = w.answered("two")
    reached = w.status()
    w.request(uri="sip:nobody@example.com")
    return registered, at_two.uri == w.uri("two", "dave"), reached, w.status()


@row('`registered("location")`', "`registrar.is_registered(uri)`", (404, 200, 200))
def registered(w: Wire) -> object:
    w.request(uri="sip:erin@example.com")
    before = w.status()
    w.request("REGISTER", "saved", To="<sip:erin@example.com>", Expires="600")
    done = w.status()
    w.request(uri="sip:erin@example.com")
    return before, done, w.status()


def digest(w: Wire) -> object:
    method = "MESSAGE"
    w.request(method)
    challenge = w.take()
    name, wrong = _digest.answer(challenge, method, "sip:bob@example.com", b"", "alice", "guessed")[0]
    w.request(method, **{name: wrong})
    refused = w.status()
    name, right = _digest.answer(challenge, method, "sip:bob@example.com", b"", "alice", "secret")[0]
    w.request(method, **{name: right})
    header = challenge.header("WWW-Authenticate") or challenge.header("Proxy-Authenticate") or ""
    return challenge.status_code, 'realm="example.com"' in header, refused, w.status()


@row("`www_authorize` and `www_challenge`", "`auth.require_www_digest(request)`", (401, True, 401, 200))
def www(w: Wire) -> object:
    return digest(w)


@row("`proxy_authorize` and `proxy_challenge`", "`auth.require_proxy_digest(request)`", (407, True, 407, 200))
def proxied(w: Wire) -> object:
    return digest(w)


@row(
    "`$au`, `$fU`, `$td`, `$rU`, `$ci`, `$si`, `$sp`",
    "`request.auth_user`, `.from_uri.user`, `.to_uri.host`, `.ruri.user`, `.call_id`, `.source_ip`, `.source_port`",
    True,
)
def variables(w: Wire) -> object:
    w.request("OPTIONS", "proxied")
    challenge = w.take()
    name, value = _digest.answer(challenge, "OPTIONS", "sip:bob@example.com", b"", "alice", "secret")[0]
    sent = w.request("OPTIONS", **{name: value})
    # With us the user is known once it is proved, and this row's function does not ask for that.
    words = (w.take().header("X-Seen") or "").split()[1:]
    return words == ["alice", "example.com", "bob", sent.call_id, "127.0.0.1", str(w.people["client"])]


@row(
    "`$hdr(X)`, `is_present_hf`, `append_hf`, `remove_hf`, `remove_hf_re`",
    "`get_header`, `has_header`, `add_header`, `remove_header`, `remove_headers_matching`",
    ("kept", None, None),
)
def headers(w: Wire) -> object:
    w.request(X_Old="kept", X_Secret_Key="1")
    at_one = w.answered()
    return at_one.header("X-New"), at_one.header("X-Old"), at_one.header("X-Secret-Key")


@row("`append_to_reply()`", "`request.add_reply_header(name, value)`", (200, "yes"))
def reply_header(w: Wire) -> object:
    w.request()
    message = w.take()
    return message.status_code, message.header("X-Seen")


@row("`fix_nated_contact()`", "`request.fix_nated_contact()`", (True, 200))
def nat_contact(w: Wire) -> object:
    w.request(Contact="<sip:alice@192.168.1.5:5099>")
    return w.answered().contact == w.uri("client", "alice"), w.status()


@row("`fix_nated_register()`", "`request.fix_nated_register()`, before `registrar.save`", (200, True, 200))
def nat_register(w: Wire) -> object:
    private = "sip:heidi@192.168.1.5:5099"
    w.request("REGISTER", To="<sip:heidi@example.com>", Contact=f"<{private}>", Expires="600")
    saved = w.status()
    # The call goes to where the REGISTER came from, with the Contact as Request-URI.
    w.request(row="found", uri="sip:heidi@example.com")
    call = w.answered("client")
    return saved, call.uri == private, w.status()


@row("`add_contact_alias()`", "`request.add_contact_alias()`", (True, 200))
def alias(w: Wire) -> object:
    w.request(Contact="<sip:alice@192.168.1.5:5099>")
    contact = w.answered().contact
    return contact == f"sip:alice@192.168.1.5:5099;alias=127.0.0.1~{w.people['client']}~1", w.status()


@row("`handle_ruri_alias()`", "nothing: an in-dialog `request.relay()` follows the alias", ("sip:x@192.168.1.5:5099", 200))
def follow_alias(w: Wire) -> object:
    uri = f"sip:x@192.168.1.5:5099;alias=127.0.0.1~{w.people['one']}~1"
    w.request(uri=uri, To="<sip:bob@example.com>;tag=callee")
    return w.answered().uri, w.status()


@row("`sanity_check()`", "`proxy.sanity_check(request)`", (200, 400))
def sane(w: Wire) -> object:
    w.request()
    good = w.status()
    w.request(CSeq="7 INVITE")
    return good, w.status()


@row("`htable`, `$sht(…)`", "`cache.store(…)`, `cache.fetch(…)`; in memory, per node", (404, 200))
def table(w: Wire) -> object:
    w.request()
    before = w.status()
    w.request()
    return before, w.status()


@row("`t_set_fr()`", '`request.relay(timeout="15s")`; the default is Timer C, `transaction.timer_c_secs`', ("INVITE", 408))
def short(w: Wire) -> object:
    w.request("INVITE")
    return w.take("one").method, w.status()


@row("`mf_process_maxfwd_header`", "nothing: the engine answers 483 unasked", 483)
def hops(w: Wire) -> object:
    w.request(row="next_hop", Max_Forwards="0")
    return w.status()


@row("`t_check_trans`, `t_newtran`, the CANCEL block", "nothing: the engine does these unasked", (200, 487, "CANCEL"))
def cancelled(w: Wire) -> object:
    invite = w.request("INVITE", "next_hop")
    at_one = w.take("one")
    w.reply("one", at_one, 180)
    w.take()
    w.cancel(invite)
    onward = w.answered("one")
    w.reply("one", at_one, 487)
    first, second = w.take(), w.take()
    codes = sorted([first.status_code or 0, second.status_code or 0])
    return codes[0], codes[1], onward.method


# ---- shown in the kit only: two sockets of ours, the node's own requests, its log and its timers -----------------------


@row("`force_send_socket()`", '`request.relay(send_socket="…")`', "127.0.0.1:5070", in_kamailio=False)
def socket(w: Wire) -> object:
    w.request()
    return w.answered().source


@row("`pike`, `ratelimit`", "`proxy.rate_limit(request, seconds, requests)`", [200, 200, 200, 503], in_kamailio=False)
def limited(w: Wire) -> object:
    codes = []
    for _ in range(4):
        w.request()
        codes.append(w.status())
    return codes


@row("`uac_req_send()`, `t_uac_send`", "`proxy.send_request(…)`, awaitable", ("OPTIONS", 486), in_kamailio=False)
def asking(w: Wire) -> object:
    assert isinstance(w, KitWire)
    phone = w.harness.ua("one", address=f"127.0.0.1:{w.people['one']}")
    phone.by_hand(status=486)
    w.request()
    return phone.received[0].method, w.status()


@row("`xlog(…)`", '`log.info("text", key=value)`', True, in_kamailio=False)
def logged(w: Wire) -> object:
    assert isinstance(w, KitWire)
    w.request()
    return "a request method=MESSAGE source=127.0.0.1" in w.harness.log


@row("`rtimer`, `route[timer]`", '`@timer.every("30s")`', True, in_kamailio=False)
def timed(w: Wire) -> object:
    assert isinstance(w, KitWire)
    w.harness.advance(31)
    return "tick" in w.harness.log


@row("`children=8`", "`shards: 2`, threads that share one location table", [200, 200], in_kamailio=False)
def shards(w: Wire) -> object:
    assert isinstance(w, KitWire)
    codes = []
    for user in ("frank", "grace"):
        w.request("REGISTER", "saved", To=f"<sip:{user}@example.com>", Expires="600")
        w.status()
        w.request(row="registered", uri=f"sip:{user}@example.com")
        codes.append(w.status())
    return codes
