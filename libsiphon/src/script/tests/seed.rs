//! The seed's default script, unchanged.

use super::fixture::{Rig, binding, load, request};
use crate::policy::{Decision, Strategy};
use crate::wire::sip::Message;

fn rig() -> Rig {
    load(include_str!("../../../../tests/seed/scripts/proxy_default.py"))
}

fn decided(rig: &mut Rig, message: &Message) -> Decision {
    rig.request(message).decision.expect("a decision")
}

#[test]
fn options_to_the_node_is_answered_200() {
    assert_eq!(rig().replied(&request("OPTIONS", "sip:example.com", "")), 200);
}

#[test]
fn register_without_credentials_is_challenged_and_nothing_is_stored() {
    let mut rig = rig();
    assert_eq!(rig.replied(&request("REGISTER", "sip:example.com", "")), 401);
    assert!(rig.node.bindings.lock().unwrap().is_empty());
}

#[test]
fn register_with_credentials_is_stored_and_answered_once_with_its_contacts() {
    let mut rig = rig();
    let message = request("REGISTER", "sip:example.com", "Authorization: good alice");
    let Decision::Reply(spec) = decided(&mut rig, &message) else { panic!("a reply") };
    assert_eq!((spec.code, spec.reason.as_deref()), (200, Some("OK")));
    assert_eq!(spec.headers.len(), 1);
    assert_eq!(rig.node.bindings.lock().unwrap().len(), 1);
    assert!(rig.log().is_empty(), "save and reply(200) are no two decisions: {:?}", rig.log());
}

#[test]
fn invite_to_a_registered_user_forks_to_the_bindings_with_their_path_and_record_routes() {
    let mut rig = rig();
    let mut home = binding("sip:bob@10.0.0.5:5062");
    home.path = vec!["<sip:edge.example.com;lr>".into()];
    let mut natted = binding("sip:bob@192.168.1.4");
    natted.received = Some("203.0.113.77:5062".parse().unwrap());
    rig.bind("bob@example.com", vec![home, natted]);
    match decided(&mut rig, &request("INVITE", "sip:bob@example.com", "")) {
        Decision::Fork { targets, strategy, options } => {
            assert_eq!(strategy, Strategy::Parallel);
            assert!(options.record_route);
            let uris: Vec<&str> = targets.iter().map(|t| &*t.uri).collect();
            assert_eq!(uris, ["sip:bob@10.0.0.5:5062", "sip:bob@192.168.1.4"]);
            assert_eq!(targets[0].route, ["<sip:edge.example.com;lr>".into()]);
            assert_eq!(targets[1].received, Some("203.0.113.77:5062".parse().unwrap()));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn invite_to_nobody_is_404() {
    assert_eq!(rig().replied(&request("INVITE", "sip:nobody@example.com", "")), 404);
}

#[test]
fn in_dialog_requests_follow_their_route_set_or_are_404() {
    let mut rig = rig();
    let on_route = request("BYE", "sip:bob@10.0.0.5", "Route: <sip:192.0.2.1;lr>").bytes().to_vec();
    let tagged = String::from_utf8(on_route)
        .unwrap()
        .replace("To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=b");
    let message = super::fixture::message(&tagged.replace("\r\n", "\n"));
    assert!(matches!(decided(&mut rig, &message), Decision::Relay(_)));
    let astray =
        super::fixture::message(&tagged.replace("Route: <sip:192.0.2.1;lr>\r\n", "").replace("\r\n", "\n"));
    assert_eq!(rig.replied(&astray), 404);
}
