//! The rest of the surface, name by name; and that list, stubs and module agree.

use super::fixture::{binding, message, question, request};
use super::verdicts::{handler, invite};
use crate::policy::{Decision, Question, Strategy, Target};
use crate::script::initialize;
use crate::script::interpreter::FILES;
use pyo3::prelude::*;
use std::collections::BTreeMap;

fn body_of(body: &str) -> String {
    let verdict = handler(&format!("{body}\nrequest.relay()")).request(&invite());
    match verdict.message {
        Some(message) => String::from_utf8(message.bytes().to_vec()).unwrap(),
        None => panic!("{verdict:?}"),
    }
}

fn first_target(body: &str) -> (Target, Strategy, crate::policy::RelayOptions) {
    match handler(body).request(&invite()).decision {
        Some(Decision::Fork { targets, strategy, options }) => {
            (targets.into_iter().next().unwrap(), strategy, options)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn bodies_are_read_and_replaced() {
    let text = body_of(
        "assert request.body is None and request.content_type is None\nrequest.set_body('v=0', 'application/sdp')\nassert request.body == b'v=0' and request.has_body('Application/SDP') and not request.has_body('text/plain')\nassert request.content_type == 'application/sdp'",
    );
    assert!(text.contains("Content-Type: application/sdp\r\n") && text.ends_with("\r\n\r\nv=0"), "{text}");
    assert!(text.contains("Content-Length: 3"), "{text}");
    assert!(body_of("request.set_body(b'x')").contains("Content-Type: application/octet-stream"));
}

#[test]
fn addresses_are_edited_in_place() {
    let text = body_of(
        "request.set_to_display('Bob')\nrequest.set_from_uri('sip:x@y')\nrequest.set_to_uri('<sip:z@y>')",
    );
    assert!(
        text.contains("From: Alice <sip:x@y>;tag=a1") || text.contains("From: \"Alice\" <sip:x@y>;tag=a1"),
        "{text}"
    );
    assert!(text.contains("To: \"Bob\" <sip:z@y>\r\n"), "{text}");
    let text = body_of(
        "request.set_ruri('sip:n@192.0.2.1:5060')\nassert request.ruri.is_local\nrequest.set_ruri_host('h.example.net:5070')\nassert not request.ruri.is_local",
    );
    assert!(text.starts_with("INVITE sip:n@h.example.net:5070 SIP/2.0"), "{text}");
    assert!(body_of("request.set_contact_uri('sip:c@d')").contains("Contact: <sip:c@d>"));
}

#[test]
fn lists_lose_one_value_and_headers_gain_one() {
    let text = body_of(
        "request.add_header('Supported', 'path, gruu')\nrequest.add_header('X-A', '1')\nrequest.add_header('X-A', '2')\nassert request.get_headers('X-A') == ['1', '2'] and request.get_headers('Supported') == ['path', 'gruu']\nrequest.remove_from_header_list('Supported', 'PATH')",
    );
    assert!(text.contains("Supported: gruu\r\n") && text.contains("X-A: 1\r\nX-A: 2\r\n"), "{text}");
}

#[test]
fn relays_can_be_forced_along_a_flow_or_to_an_address() {
    let (target, _, _) = first_target("request.relay(flow=request.flow)");
    assert_eq!((&*target.uri, target.flow), ("sip:bob@example.com", Some(super::fixture::flow())));
    let (target, _, _) = first_target("request.force_send_via('TCP', '192.0.2.7:5080')\nrequest.relay()");
    assert_eq!(target.next_hop.as_deref(), Some("sip:192.0.2.7:5080;transport=tcp"));
    let (_, strategy, options) = first_target(
        "request.fork(['sip:a@b', SipUri('sip:c@d')], strategy='sequential', send_socket='192.0.2.1:5060', timeout='9s')",
    );
    assert_eq!(strategy, Strategy::Sequential);
    assert_eq!(options.send_socket.as_deref(), Some("192.0.2.1:5060"));
    assert_eq!(options.branch_timeout, Some(std::time::Duration::from_secs(9)));
    assert_eq!(first_target("request.fork(['sip:a@b'], 'q')").1, Strategy::ByPreference);
}

#[test]
fn headers_for_replies_are_set_added_and_read() {
    let verdict = handler("request.set_reply_header('X-A', 1)\nrequest.set_reply_header('x-a', 2)\nrequest.add_reply_header('X-B', 3)\nassert request.get_reply_header('X-a') == '2' and request.get_reply_header('X-C') is None\nassert request.reply_headers == [('x-a', '2'), ('X-B', '3')]\nrequest.set_reply_body('hi', 'text/plain')\nrequest.reply(200)").request(&invite());
    assert_eq!(verdict.reply_headers.len(), 2);
    match verdict.decision {
        Some(Decision::Reply(spec)) => assert_eq!(spec.body, Some(("text/plain".into(), b"hi".to_vec()))),
        other => panic!("{other:?}"),
    }
}

#[test]
fn routes_events_and_expiries_are_read() {
    let mut rig = handler(
        "assert request.route_user == 'far' and request.consumed_route_user == 'tok'\nassert [str(u) for u in request.consumed_routes] == [str(request.consumed_route)] == ['sip:tok@192.0.2.1;lr']\nassert request.event == 'presence' and request.contact_expires == 77 and request.user_agent == 'ua'\nassert request.to_uri.user == 'bob' and request.auth_user is None\nrequest.auth_user = 'x'\nassert request.auth_user == 'x'\nrequest.reply(200)",
    );
    let text = "SUBSCRIBE sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: <sip:a@b>;tag=1\n\
                To: <sip:bob@example.com>\nCall-ID: 1\nCSeq: 1 SUBSCRIBE\nContact: <sip:a@h>;expires=77\nEvent: presence;id=1\n\
                Route: <sip:tok@192.0.2.1;lr>, <sip:far@h2;lr>\nUser-Agent: ua";
    let verdict = rig.ask(Question { consumed_routes: 1, ..question(&message(text)) });
    assert!(matches!(verdict.decision, Some(Decision::Reply(ref spec)) if spec.code == 200), "{verdict:?}");
}

#[test]
fn verify_digest_looks_and_decides_nothing() {
    let mut rig = handler("assert not auth.verify_digest(request)\nrequest.reply(200)");
    assert_eq!(rig.replied(&invite()), 200);
    let mut rig = handler(
        "assert auth.require_www_digest(request, 'r', password='p')\nassert auth.verify_digest(request) and request.auth_user == 'al'\nassert 0 <= proxy._utils.memory_used_pct() <= 100\nassert proxy.rate_limit(request, 1, 5) and proxy.sanity_check(request)\nrequest.reply(200)",
    );
    assert_eq!(rig.replied(&request("INVITE", "sip:b@example.com", "Authorization: good al")), 200);
}

#[test]
fn parts_of_uris_contacts_and_flows_are_read() {
    let mut rig = handler(
        "u = SipUri('<sips:a%40b@[2001:db8::1]:5061;transport=TCP;lr?x=y>')\nassert (u.scheme, u.user, u.host, u.port, u.transport) == ('sips', 'a@b', '[2001:db8::1]', 5061, 'tcp')\nassert u.param('lr') == '' and u.param('no') is None and not u.is_local and not u.is_tel\nc = registrar.lookup('sip:bob@example.com')[0]\nf = c.flow\nassert f.local_addr == '192.0.2.1:5060' and f.connection_id is None and f.is_alive and f.transport == 'udp'\nassert c.user_agent == 'phone'\nrequest.reply(200)",
    );
    let mut bob = binding("sip:bob@10.0.0.1");
    (bob.flow, bob.user_agent) = (Some(super::fixture::flow()), Some("phone".into()));
    rig.bind("bob@example.com", vec![bob]);
    assert_eq!(rig.replied(&invite()), 200, "{:?}", rig.log());
}

#[test]
fn what_a_reply_shows_is_what_the_message_says() {
    let body = "assert reply.status_code == 183 and reply.reason == 'Progress' and reply.call_id == 'call-1@host'\n    assert reply.from_uri.user == 'alice' and reply.to_uri.user == 'bob' and reply.from_tag == 'a1' and reply.to_tag == 'b1'\n    assert reply.source_ip == '203.0.113.9' and reply.source_port == 40000 and not reply.is_local\n    assert reply.get_header('server') == reply.header('Server') == 'test' and reply.get_headers('Server') == ['test']\n    assert reply.has_header('Server') and reply.body is None and reply.content_type is None and not reply.has_body('x/y')\n    reply.set_body('v', 'a/b'); reply.add_header('X-C', 1); reply.remove_headers_matching('^serv')\n    assert reply.body == b'v'";
    let mut rig = super::fixture::load(&format!(
        "from siphon import proxy\n@proxy.on_request\ndef f(request): request.relay()\n@proxy.on_reply\ndef g(request, reply):\n    {body}\n"
    ));
    let keep = rig.request(&invite()).keep;
    let verdict = rig.reply(&invite(), keep, "183 Progress");
    assert!(verdict.decision.is_none(), "{verdict:?}");
    let edited = verdict.message.expect("edited");
    assert!(edited.header_named("X-C").is_some() && edited.header_named("Server").is_none());
}

#[test]
fn an_alias_in_an_in_dialog_request_leads_to_its_address() {
    let bye = message(
        "BYE sip:a@10.0.0.1:5060;alias=203.0.113.9~40000~1 SIP/2.0\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\nMax-Forwards: 70\nFrom: <sip:a@b>;tag=1\nTo: <sip:b@b>;tag=2\nCall-ID: 1\nCSeq: 2 BYE",
    );
    match handler("request.relay()").request(&bye).decision {
        Some(Decision::Fork { targets, .. }) => {
            assert_eq!(&*targets[0].uri, "sip:a@10.0.0.1:5060");
            assert_eq!(targets[0].next_hop.as_deref(), Some("sip:203.0.113.9:40000;transport=udp"));
        }
        other => panic!("{other:?}"),
    }
}

/// Compares `docs/reference/surface.toml`, the stubs and the module; gives what differs.
const COMPARE: &std::ffi::CStr = cr#"
import ast, inspect, tomllib, siphon, re
from siphon import _surface

def public(obj):
    return {n for n in dir(obj) if not n.startswith("__")}

known = tomllib.loads(surface)
tree = ast.parse(stubs)
classes = {n.name: {m.name for m in n.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("__")}
           for n in tree.body if isinstance(n, ast.ClassDef)}
variables = {n.target.id: n.annotation.id for n in tree.body if isinstance(n, ast.AnnAssign) and n.target.id.islower()}
wrong = []
# What the namespaces of all roles come to.
native = siphon._native
names = public(native) - {"role"}
if names != {*_surface.BUILT, *_surface.TYPES}:
    wrong.append(f"module and table: {names ^ {*_surface.BUILT, *_surface.TYPES}}")
absent = {s: {n: e["absent"] for n, e in entries.items() if "absent" in e} for s, entries in known.items()}
# A name that belongs to a namespace is absent with it: the table says so by the roles that have it.
absent["names"] = {n: why for n, why in absent["names"].items()
                   if _surface.COMES_WITH.get(n, n) not in _surface.NAMESPACES}
if {s: a for s, a in absent.items() if a} != _surface.ABSENT:
    wrong.append("what is absent is not the same in the list and in the table siphon/_surface.py")
exported = set(ast.literal_eval(next(n for n in tree.body if isinstance(n, ast.Assign)).value))
if names != exported:
    wrong.append(f"module and __all__ of the stubs: {names ^ exported}")
built = {}
for name in names:
    thing = getattr(native, name)
    if isinstance(thing, type) and issubclass(thing, BaseException):
        continue
    declared = classes[name if isinstance(thing, type) else variables[name]]
    actual = public(thing)
    for member in actual:
        if not (inspect.getdoc(inspect.getattr_static(type(thing) if name.islower() else thing, member)) or "").strip():
            wrong.append(f"{name}.{member} says nothing about itself")
    if actual != declared:
        wrong.append(f"{name}: only in the module {actual - declared}, only in the stubs {declared - actual}")
    built[name] = actual
built["proxy._utils"] = public(native.proxy._utils)
for section, entries in known.items():
    for name, entry in entries.items():
        if section == "names":
            there = name in names
        else:
            there = name in built.get(section, ())
        if "absent" in entry:
            if there:
                wrong.append(f"{section}.{name} is listed as absent and is there")
            elif len(entry["absent"]) < 10:
                wrong.append(f"{section}.{name}: no reason")
        elif not there:
            wrong.append(f"{section}.{name} is listed and not there")
        elif not re.search(rf"fn {entry['test']}\(", tests):
            wrong.append(f"{section}.{name}: there is no test {entry['test']}")
for section, actual in built.items():
    missing = actual - set(known.get(section, {})) - {"_utils"}
    if missing:
        wrong.append(f"{section}: not listed {missing}")
if names - set(known["names"]):
    wrong.append(f"not listed {names - set(known['names'])}")
"#;

#[test]
fn list_stubs_and_module_name_the_same() {
    initialize();
    let tests = [
        include_str!("awaiting.rs"),
        include_str!("callbacks.rs"),
        include_str!("calls/deciding.rs"),
        include_str!("calls/dialling.rs"),
        include_str!("calls/events.rs"),
        include_str!("calls/keeping.rs"),
        include_str!("describing.rs"),
        include_str!("lanes.rs"),
        include_str!("media.rs"),
        include_str!("namespaces.rs"),
        include_str!("registering.rs"),
        include_str!("seed.rs"),
        include_str!("surface.rs"),
        include_str!("verdicts.rs"),
    ]
    .concat();
    let wrong: Vec<String> = Python::attach(|py| {
        let scope = pyo3::types::PyDict::new(py);
        scope.set_item("surface", include_str!("../../../../docs/reference/surface.toml")).unwrap();
        scope.set_item("stubs", include_str!("../../../../python/siphon/__init__.pyi")).unwrap();
        scope.set_item("tests", tests).unwrap();
        py.run(COMPARE, Some(&scope), None).unwrap();
        scope.get_item("wrong").unwrap().unwrap().extract().unwrap()
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_daemon_carries_every_file_of_the_package() {
    fn sources(folder: &std::path::Path, module: &str, found: &mut BTreeMap<String, String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_stem().unwrap().to_str().unwrap();
            if entry.is_dir() && entry.join("__init__.py").exists() {
                sources(&entry, &format!("{module}.{name}"), found);
            } else if entry.extension().is_some_and(|e| e == "py") {
                let whole = if name == "__init__" { module.to_owned() } else { format!("{module}.{name}") };
                found.insert(whole, std::fs::read_to_string(&entry).unwrap());
            }
        }
    }
    let mut there = BTreeMap::new();
    sources(concat!(env!("CARGO_MANIFEST_DIR"), "/../python/siphon").as_ref(), "siphon", &mut there);
    // In the daemon the engine itself is this one.
    assert!(there.remove("siphon._native").is_some());
    let carried: BTreeMap<String, String> =
        FILES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    assert_eq!(carried.keys().collect::<Vec<_>>(), there.keys().collect::<Vec<_>>());
    assert!(carried == there);
}
