use super::*;
use crate::proto::registrar::harness::*;

fn plain() -> Registrar {
    registrar(RegistrarSettings::default())
}

fn kinds(outcome: &Outcome) -> Vec<(String, &'static str)> {
    outcome.changes.iter().map(|c| (c.binding.uri.to_string(), c.kind.label())).collect()
}

const PHONE: &str = "Contact: <sip:alice@192.0.2.7>";
const DESK: &str = "Contact: <sip:alice@192.0.2.8>";

#[test]
fn a_contact_is_bound_for_the_default_time_and_told() {
    let registrar = plain();
    let outcome = send(&registrar, &register("c", 1, &[PHONE, "User-Agent: Phone/1"]), NOW);
    assert_eq!(answer(&outcome), "200");
    assert_eq!(values(&outcome, "Contact"), ["<sip:alice@192.0.2.7>;expires=3600"]);
    assert_eq!(values(&outcome, "Date"), ["Fri, 15 Jan 2027 08:00:00 GMT"]);
    assert_eq!(kinds(&outcome), [("sip:alice@192.0.2.7".to_owned(), "registered")]);
    let binding = &registrar.location.lookup("sip:alice@example.com", NOW)[0];
    assert_eq!(binding.expires_at, at(3600));
    assert_eq!((&*binding.call_id, binding.cseq, binding.q), ("c", 1, 1000));
    assert_eq!(binding.user_agent.as_deref(), Some("Phone/1"));
    assert_eq!(binding.received, None);
    assert_eq!(binding.target(), crate::policy::Target::uri("sip:alice@192.0.2.7"));
}

#[test]
fn the_expires_parameter_comes_before_the_header_field_and_that_before_the_default() {
    let registrar = plain();
    let lines = ["Contact: <sip:a@192.0.2.7>;expires=600, <sip:b@192.0.2.7>", "Expires: 1200"];
    let outcome = send(&registrar, &register("c", 1, &lines), NOW);
    assert_eq!(
        values(&outcome, "Contact"),
        ["<sip:a@192.0.2.7>;expires=600", "<sip:b@192.0.2.7>;expires=1200"]
    );
}

#[test]
fn malformed_lifetimes_count_as_an_hour_and_huge_ones_as_the_longest_granted() {
    let registrar = plain();
    let lines = [
        "Contact: <sip:a@192.0.2.7>;expires=soon, <sip:b@192.0.2.7>;expires=99999999999, <sip:c@192.0.2.7>",
        "Expires: x",
    ];
    let outcome = send(&registrar, &register("c", 1, &lines), NOW);
    let told = values(&outcome, "Contact");
    assert_eq!(
        told,
        [
            "<sip:a@192.0.2.7>;expires=3600",
            "<sip:b@192.0.2.7>;expires=7200",
            "<sip:c@192.0.2.7>;expires=3600"
        ]
    );
}

#[test]
fn too_brief_an_interval_is_423_with_min_expires_and_nothing_changes() {
    let registrar = plain();
    let outcome = send(&registrar, &register("c", 1, &[PHONE, "Contact: <sip:b@192.0.2.7>;expires=59"]), NOW);
    assert_eq!(answer(&outcome), "423 Interval Too Brief");
    assert_eq!(values(&outcome, "Min-Expires"), ["60"]);
    assert!(contacts(&registrar, NOW).is_empty() && outcome.changes.is_empty() && outcome.rollback.is_none());
}

#[test]
fn asking_for_an_hour_is_never_too_brief() {
    let registrar = registrar(RegistrarSettings { min_expires: 7200, ..RegistrarSettings::default() });
    let hour = send(&registrar, &register("c", 1, &["Contact: <sip:a@192.0.2.7>;expires=3600"]), NOW);
    assert_eq!(answer(&hour), "200");
    let less = send(&registrar, &register("c", 2, &["Contact: <sip:a@192.0.2.7>;expires=3599"]), NOW);
    assert_eq!(values(&less, "Min-Expires"), ["3600"]);
}

#[test]
fn a_refresh_moves_the_deadline_and_a_zero_removes() {
    let registrar = plain();
    send(&registrar, &register("c", 1, &[PHONE]), NOW);
    let refresh = send(&registrar, &register("c", 2, &[PHONE]), at(1000));
    assert_eq!(kinds(&refresh), [("sip:alice@192.0.2.7".to_owned(), "refreshed")]);
    assert_eq!(registrar.location.lookup("sip:alice@example.com", at(4000)).len(), 1);
    let gone = send(&registrar, &register("c", 3, &[PHONE, "Expires: 0"]), at(4000));
    assert_eq!(answer(&gone), "200");
    assert!(values(&gone, "Contact").is_empty());
    assert_eq!(kinds(&gone), [("sip:alice@192.0.2.7".to_owned(), "deregistered")]);
    assert_eq!(registrar.location.aor_count(), 0);
    let again = send(&registrar, &register("c", 4, &[PHONE, "Expires: 0"]), at(4000));
    assert_eq!((answer(&again), again.changes.len()), ("200".to_owned(), 0));
}

#[test]
fn star_removes_everything_and_only_with_expires_zero_and_alone() {
    let registrar = plain();
    let bad = "400 Contact * Needs Expires 0 And No Other Contact";
    send(&registrar, &register("c", 1, &[PHONE, DESK]), NOW);
    assert_eq!(answer(&send(&registrar, &register("d", 2, &["Contact: *"]), NOW)), bad);
    assert_eq!(answer(&send(&registrar, &register("d", 2, &["Contact: *", "Expires: 60"]), NOW)), bad);
    assert_eq!(answer(&send(&registrar, &register("d", 2, &["Contact: *", PHONE, "Expires: 0"]), NOW)), bad);
    assert_eq!(contacts(&registrar, NOW).len(), 2);
    let outcome = send(&registrar, &register("d", 2, &["Contact: *", "Expires: 0"]), NOW);
    assert_eq!(answer(&outcome), "200");
    assert_eq!(outcome.changes.len(), 2);
    assert!(contacts(&registrar, NOW).is_empty());
}

#[test]
fn an_order_that_is_not_younger_fails_as_a_whole() {
    let registrar = plain();
    send(&registrar, &register("c", 5, &[PHONE]), NOW);
    for cseq in [5, 4] {
        let outcome = send(&registrar, &register("c", cseq, &[DESK, PHONE]), at(1));
        assert_eq!(answer(&outcome), "500 CSeq Out Of Order");
        assert_eq!(contacts(&registrar, at(1)), ["sip:alice@192.0.2.7"]);
        let star = send(&registrar, &register("c", cseq, &["Contact: *", "Expires: 0"]), at(1));
        assert_eq!(answer(&star), "500 CSeq Out Of Order");
        let removal =
            send(&registrar, &register("c", cseq, &["Contact: <sip:alice@192.0.2.7>;expires=0"]), at(1));
        assert_eq!(answer(&removal), "500 CSeq Out Of Order");
    }
    // A rebooted phone starts over under another Call-ID.
    assert_eq!(answer(&send(&registrar, &register("d", 1, &[PHONE]), at(1))), "200");
    // The lapsed binding's order does not count any more.
    assert_eq!(answer(&send(&registrar, &register("d", 1, &[PHONE]), at(4000))), "200");
}

#[test]
fn a_binding_named_twice_in_one_request_is_judged_once() {
    let registrar = plain();
    let lines = ["Contact: <sip:alice@192.0.2.7>;q=0.1, <sip:alice@192.0.2.7>;q=0.9"];
    let outcome = send(&registrar, &register("c", 1, &lines), NOW);
    assert_eq!(values(&outcome, "Contact"), ["<sip:alice@192.0.2.7>;q=0.900;expires=3600"]);
    assert_eq!(answer(&send(&registrar, &register("c", 2, &lines), NOW)), "200");
}

#[test]
fn contacts_are_compared_as_uris() {
    let registrar = plain();
    send(&registrar, &register("c", 1, &["Contact: <sip:%61lice@HOST.example;transport=tcp>"]), NOW);
    send(&registrar, &register("c", 2, &["Contact: <sip:alice@host.EXAMPLE;transport=TCP>"]), NOW);
    assert_eq!(contacts(&registrar, NOW), ["sip:alice@host.EXAMPLE;transport=TCP"]);
    send(&registrar, &register("c", 3, &["Contact: <sip:alice@host.example>"]), NOW);
    assert_eq!(contacts(&registrar, NOW).len(), 2, "transport in one only");
}

#[test]
fn without_contact_the_bindings_are_told_and_nothing_changes() {
    let registrar = plain();
    send(
        &registrar,
        &register("c", 1, &["Contact: <sip:low@192.0.2.7>;q=0.2, <sip:high@192.0.2.7>;q=0.75"]),
        NOW,
    );
    let fetch = send(&registrar, &register("other", 1, &[]), at(100));
    assert_eq!(
        values(&fetch, "Contact"),
        ["<sip:high@192.0.2.7>;q=0.750;expires=3500", "<sip:low@192.0.2.7>;q=0.200;expires=3500"]
    );
    assert!(fetch.changes.is_empty() && fetch.commit.is_none() && fetch.rollback.is_none());
    let nobody = send(&plain(), &register("c", 1, &[]), NOW);
    assert_eq!(answer(&nobody), "200");
    assert!(values(&nobody, "Contact").is_empty());
}

#[test]
fn parameters_of_a_contact_come_back_as_they_were_sent() {
    let registrar = plain();
    let line = "Contact: \"Al\" <sip:a@192.0.2.7;ob>;audio;methods=\"INVITE,BYE\";+g.x=\"<q>\";expires=90";
    let outcome = send(&registrar, &register("c", 1, &[line]), NOW);
    assert_eq!(
        values(&outcome, "Contact"),
        ["<sip:a@192.0.2.7;ob>;expires=90;audio;methods=\"INVITE,BYE\";+g.x=\"<q>\""]
    );
}

#[test]
fn addresses_of_record_are_canonical() {
    let registrar = plain();
    let text = String::from_utf8(register("c", 1, &[PHONE]).bytes().to_vec()).unwrap();
    let text =
        text.replace("To: <sip:alice@example.com>", "To: \"A\" <sip:%61lice@EXAMPLE.com;user=phone>;x=y");
    let message = Message::parse(text.as_bytes(), &crate::wire::sip::Limits::default()).unwrap();
    send(&registrar, &message, NOW);
    assert_eq!(contacts(&registrar, NOW).len(), 1);
    let text =
        text.replace("To: \"A\" <sip:%61lice@EXAMPLE.com;user=phone>", "To: <mailto:alice@example.com>");
    let message = Message::parse(text.as_bytes(), &crate::wire::sip::Limits::default()).unwrap();
    assert_eq!(answer(&send(&registrar, &message, NOW)), "400 Address Of Record Is No sip, sips Or tel URI");
}

#[test]
fn one_contact_too_many_is_403_and_nothing_changes() {
    let registrar = registrar(RegistrarSettings { max_contacts: 2, ..RegistrarSettings::default() });
    send(&registrar, &register("c", 1, &[PHONE, DESK]), NOW);
    let third = send(&registrar, &register("d", 1, &["Contact: <sip:third@192.0.2.9>"]), at(1));
    assert_eq!(answer(&third), "403 Too Many Contacts");
    let swap = ["Contact: <sip:third@192.0.2.9>, <sip:alice@192.0.2.8>;expires=0"];
    assert_eq!(answer(&send(&registrar, &register("d", 2, &swap), at(1))), "200");
    assert_eq!(contacts(&registrar, at(1)), ["sip:third@192.0.2.9", "sip:alice@192.0.2.7"]);
    assert_eq!(
        answer(&send(&registrar, &register("d", 3, &["Contact: <sip:third@192.0.2.9>"]), at(2))),
        "200"
    );
}

#[test]
fn the_oldest_contacts_make_room_where_configured() {
    let settings =
        RegistrarSettings { max_contacts: 2, over_limit: OverLimit::ReplaceOldest, ..Default::default() };
    let registrar = registrar(settings);
    send(&registrar, &register("c", 1, &[PHONE]), NOW);
    send(&registrar, &register("d", 1, &[DESK]), at(1));
    let third = send(&registrar, &register("e", 1, &["Contact: <sip:third@192.0.2.9>"]), at(2));
    assert_eq!(
        kinds(&third),
        [
            ("sip:third@192.0.2.9".to_owned(), "registered"),
            ("sip:alice@192.0.2.7".to_owned(), "deregistered")
        ]
    );
    assert_eq!(contacts(&registrar, at(2)), ["sip:third@192.0.2.9", "sip:alice@192.0.2.8"]);
    let three = ["Contact: <sip:1@h>, <sip:2@h>, <sip:3@h>"];
    assert_eq!(answer(&send(&registrar, &register("f", 1, &three), at(3))), "403 Too Many Contacts");
}

#[test]
fn a_full_table_is_503_and_known_users_still_refresh() {
    let secret = Secret::new(1, 1);
    let location = Arc::new(Location::new(&secret, 1, 1, NOW));
    let registrar = Registrar::new(RegistrarSettings::default(), location.clone(), &secret);
    send(&registrar, &register("c", 1, &[PHONE]), NOW);
    let text = String::from_utf8(register("d", 1, &[PHONE]).bytes().to_vec()).unwrap();
    let bob =
        Message::parse(text.replace("alice@example", "bob@example").as_bytes(), &Default::default()).unwrap();
    let refused = send(&registrar, &bob, NOW);
    assert_eq!(answer(&refused), "503 Location Table Full");
    assert_eq!(values(&refused, "Retry-After"), ["60"]);
    assert_eq!(answer(&send(&registrar, &register("c", 2, &[PHONE]), NOW)), "200");
}

#[test]
fn an_oversized_binding_is_513() {
    let registrar = registrar(RegistrarSettings { max_binding_octets: 100, ..RegistrarSettings::default() });
    let long = format!("Contact: <sip:a@192.0.2.7>;x={}", "y".repeat(100));
    assert_eq!(answer(&send(&registrar, &register("c", 1, &[&long]), NOW)), "513 Binding Too Large");
    assert_eq!(answer(&send(&registrar, &register("c", 1, &[PHONE]), NOW)), "200");
}

#[test]
fn a_long_user_agent_is_cut_between_characters() {
    let registrar = plain();
    let line = format!("User-Agent: {}", "ä".repeat(100));
    send(&registrar, &register("c", 1, &[PHONE, &line]), NOW);
    let agent = registrar.location.lookup("sip:alice@example.com", NOW)[0].user_agent.clone().unwrap();
    assert_eq!(&*agent, "ä".repeat(64));
}

#[test]
fn a_required_extension_that_is_unknown_is_420() {
    let outcome = send(&plain(), &register("c", 1, &[PHONE, "Require: path, x-magic, y-magic"]), NOW);
    assert_eq!(answer(&outcome), "420 Bad Extension");
    assert_eq!(values(&outcome, "Unsupported"), ["x-magic, y-magic"]);
}

#[test]
fn a_user_registers_its_own_address_of_record_only() {
    let registrar =
        registrar(RegistrarSettings { enforce_auth_aor_match: true, ..RegistrarSettings::default() });
    let message = register("c", 1, &[PHONE]);
    let flow = udp("192.0.2.7:5060");
    for (user, code) in [
        (Some("alice"), 200),
        (Some("alice@EXAMPLE.com"), 200),
        (Some("bob"), 403),
        (Some("alice@example.org"), 403),
        (Some("Alice"), 403),
        (None, 200),
    ] {
        let registrar_case =
            Registration { authenticated_user: user, force: true, ..Registration::new(&message, &flow) };
        assert_eq!(registrar.process(&registrar_case, NOW).reply.code, code, "{user:?}");
    }
}

#[test]
fn path_is_stored_and_told_to_who_supports_it() {
    let registrar = plain();
    let path = "Path: <sip:p1.example;lr>, <sip:edge.example;lr;ob>";
    let outcome = send(&registrar, &register("c", 1, &[PHONE, path, "Supported: path"]), NOW);
    assert_eq!(values(&outcome, "Path"), ["<sip:p1.example;lr>", "<sip:edge.example;lr;ob>"]);
    let target = registrar.location.lookup("sip:alice@example.com", NOW)[0].target();
    assert_eq!(
        target.route.iter().map(|r| &**r).collect::<Vec<_>>(),
        ["<sip:p1.example;lr>", "<sip:edge.example;lr;ob>"]
    );
    assert_eq!((target.flow, target.received), (None, None), "the way to the UA is the edge's business");
}

#[test]
fn path_without_support_is_420_or_stored_silently_as_configured() {
    let lines = [PHONE, "Path: <sip:edge.example;lr>"];
    let strict = send(&plain(), &register("c", 1, &lines), NOW);
    assert_eq!(answer(&strict), "420 Bad Extension");
    assert_eq!(values(&strict, "Unsupported"), ["path"]);
    let registrar =
        registrar(RegistrarSettings { path: PathPolicy::Lenient, ..RegistrarSettings::default() });
    let lenient = send(&registrar, &register("c", 1, &lines), NOW);
    assert_eq!(answer(&lenient), "200");
    assert!(values(&lenient, "Path").is_empty());
    assert_eq!(registrar.location.lookup("sip:alice@example.com", NOW)[0].path.len(), 1);
}

#[test]
fn service_route_and_associated_uris_are_told() {
    let settings =
        RegistrarSettings { service_routes: vec!["<sip:all;lr>".into()], ..RegistrarSettings::default() };
    let registrar = registrar(settings);
    let aor: Text = "sip:alice@example.com".into();
    assert_eq!(
        values(&send(&registrar, &register("c", 1, &[PHONE]), NOW), "Service-Route"),
        ["<sip:all;lr>"]
    );
    registrar
        .location
        .set_service_routes(&aor, vec!["<sip:own1;lr>".into(), "<sip:own2;lr>".into()], NOW)
        .unwrap();
    registrar.location.set_associated_uris(&aor, vec!["<tel:+4930123>".into()], NOW).unwrap();
    let outcome = send(&registrar, &register("c", 2, &[PHONE]), NOW);
    assert_eq!(values(&outcome, "Service-Route"), ["<sip:own1;lr>", "<sip:own2;lr>"]);
    assert_eq!(values(&outcome, "P-Associated-URI"), ["<tel:+4930123>"]);
}

#[test]
fn a_contact_elsewhere_than_its_source_is_reached_where_it_came_from() {
    let registrar = plain();
    let message = register("c", 1, &["Contact: <sip:alice@10.0.0.5:5060>"]);
    let flow = udp("198.51.100.9:31000");
    registrar.process(&Registration::new(&message, &flow), NOW);
    let target = registrar.location.lookup("sip:alice@example.com", NOW)[0].target();
    assert_eq!((target.received, target.flow), (Some(flow.remote), Some(flow)));
    assert_eq!(&*target.uri, "sip:alice@10.0.0.5:5060");
}

#[test]
fn fix_nated_register_takes_the_source_for_a_name_too() {
    let registrar = plain();
    let message = register("c", 1, &["Contact: <sip:alice@pc33.example.com>"]);
    let flow = udp("198.51.100.9:31000");
    registrar.process(&Registration::new(&message, &flow), NOW);
    assert_eq!(registrar.location.lookup("sip:alice@example.com", NOW)[0].received, None);
    let message = register("c", 2, &["Contact: <sip:alice@pc33.example.com>"]);
    registrar.process(&Registration { fix_nated: true, ..Registration::new(&message, &flow) }, NOW);
    assert_eq!(registrar.location.lookup("sip:alice@example.com", NOW)[0].received, Some(flow.remote));
}

#[test]
fn a_stream_binding_keeps_its_flow_and_the_flow_takes_a_hidden_one_with_it() {
    let registrar = plain();
    let message = register("c", 1, &["Contact: <sip:alice@10.0.0.5;transport=tcp>"]);
    let flow = tcp("198.51.100.9:31000", 4);
    registrar.process(&Registration::new(&message, &flow), NOW);
    assert_eq!(registrar.location.lookup("sip:alice@example.com", NOW)[0].target().flow, Some(flow));
    let gone = registrar.location.flow_gone(flow.connection.unwrap(), NOW);
    assert_eq!(gone[0].kind.label(), "expired");
    assert!(contacts(&registrar, NOW).is_empty());
}

const INSTANCE: &str = "+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-000A95A0E128>\"";

fn outbound(uri: &str, reg_id: u32) -> String {
    format!("Contact: <{uri}>;reg-id={reg_id};{INSTANCE}")
}

#[test]
fn a_new_flow_of_the_same_reg_id_replaces_the_old_one_and_others_stay() {
    let registrar = plain();
    let supported = "Supported: outbound, path";
    send(&registrar, &register("c", 1, &[&outbound("sip:a@192.0.2.7:1", 1), supported]), NOW);
    send(&registrar, &register("d", 1, &[&outbound("sip:a@192.0.2.7:2", 2), supported]), NOW);
    let outcome = send(&registrar, &register("e", 1, &[&outbound("sip:a@192.0.2.7:3", 1), supported]), at(1));
    assert_eq!(values(&outcome, "Require"), ["outbound"]);
    assert_eq!(
        kinds(&outcome),
        [("sip:a@192.0.2.7:1".to_owned(), "deregistered"), ("sip:a@192.0.2.7:3".to_owned(), "registered")]
    );
    assert_eq!(contacts(&registrar, at(1)), ["sip:a@192.0.2.7:3", "sip:a@192.0.2.7:2"]);
    assert_eq!(
        values(&outcome, "Contact")[0],
        format!("<sip:a@192.0.2.7:3>;expires=3600;{INSTANCE};reg-id=1")
    );
    let gone = format!("{};expires=0", outbound("sip:whatever@h", 2));
    send(&registrar, &register("f", 1, &[&gone, supported]), at(1));
    assert_eq!(contacts(&registrar, at(1)), ["sip:a@192.0.2.7:3"]);
}

#[test]
fn outbound_needs_the_first_hop() {
    let registrar = plain();
    let contact = outbound("sip:a@192.0.2.7:1", 1);
    let via = "Via: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bKx";
    let without = [&*contact, via, "Supported: outbound, path"];
    assert_eq!(
        answer(&send(&registrar, &register("c", 1, &without), NOW)),
        "439 First Hop Lacks Outbound Support"
    );
    let unmarked = [&*contact, via, "Supported: outbound, path", "Path: <sip:edge;lr>"];
    assert_eq!(
        answer(&send(&registrar, &register("c", 1, &unmarked), NOW)),
        "439 First Hop Lacks Outbound Support"
    );
    let marked = [&*contact, via, "Supported: outbound, path", "Path: <sip:token@edge;lr;ob>"];
    assert_eq!(answer(&send(&registrar, &register("c", 1, &marked), NOW)), "200");
    let not_asked = send(&registrar, &register("d", 1, &[&contact, via]), NOW);
    assert_eq!(answer(&not_asked), "200");
    assert!(values(&not_asked, "Require").is_empty());
}

#[test]
fn a_reg_id_with_a_second_contact_is_400_and_without_instance_is_ignored() {
    let registrar = plain();
    let contact = outbound("sip:a@192.0.2.7:1", 1);
    let supported = "Supported: outbound";
    let two = send(&registrar, &register("c", 1, &[&contact, DESK, supported]), NOW);
    assert_eq!(answer(&two), "400 Several Contacts With reg-id");
    let zero = send(&registrar, &register("c", 1, &[&outbound("sip:a@h", 0), supported]), NOW);
    assert_eq!(answer(&zero), "400 Bad reg-id");
    let removal = [&*contact, "Contact: <sip:alice@192.0.2.8>;expires=0", supported];
    assert_eq!(answer(&send(&registrar, &register("c", 1, &removal), NOW)), "200");
    send(&registrar, &register("d", 1, &["Contact: <sip:b@192.0.2.7>;reg-id=1", supported]), at(1));
    assert_eq!(registrar.location.lookup("sip:alice@example.com", at(1))[0].reg_id, None);
}

#[test]
fn force_replaces_everything_in_whatever_order() {
    let registrar = registrar(RegistrarSettings { max_contacts: 2, ..RegistrarSettings::default() });
    send(&registrar, &register("c", 9, &[PHONE, DESK]), NOW);
    let message = register("c", 3, &[PHONE]);
    let flow = udp("192.0.2.7:5060");
    let outcome =
        registrar.process(&Registration { force: true, ..Registration::new(&message, &flow) }, at(1));
    assert_eq!(answer(&outcome), "200");
    assert_eq!(contacts(&registrar, at(1)), ["sip:alice@192.0.2.7"]);
    assert_eq!(
        kinds(&outcome),
        [("sip:alice@192.0.2.7".to_owned(), "refreshed"), ("sip:alice@192.0.2.8".to_owned(), "deregistered")]
    );
}

#[test]
fn aliases_lead_to_the_bindings_and_go_with_them() {
    let registrar = plain();
    let message = register("c", 1, &[PHONE]);
    let flow = udp("192.0.2.7:5060");
    let aliases: Vec<Text> = vec!["tel:+4930123".into(), "sip:alice@example.com".into()];
    registrar.process(&Registration { aliases: &aliases, ..Registration::new(&message, &flow) }, NOW);
    assert!(registrar.location.is_registered("tel:+4930123", NOW));
    send(&registrar, &register("c", 2, &["Contact: *", "Expires: 0"]), NOW);
    assert!(!registrar.location.is_registered("tel:+4930123", NOW));
    assert_eq!(registrar.location.sizes(), (0, 0, 0, 0));
}

#[test]
fn rolling_back_undoes_this_request_and_nothing_else() {
    let registrar = plain();
    send(&registrar, &register("c", 1, &[PHONE, DESK]), NOW);
    let before = registrar.location.lookup("sip:alice@example.com", at(10));
    let lines = ["Contact: <sip:alice@192.0.2.7>, <sip:alice@192.0.2.8>;expires=0, <sip:new@192.0.2.9>"];
    let outcome = send(&registrar, &register("c", 2, &lines), at(10));
    assert_eq!(contacts(&registrar, at(10)), ["sip:alice@192.0.2.7", "sip:new@192.0.2.9"]);
    // Another phone registers in between; it must not be lost.
    send(&registrar, &register("other", 1, &["Contact: <sip:other@192.0.2.10>"]), at(11));
    let undone = registrar.roll_back(&outcome.rollback.unwrap(), at(12)).unwrap();
    let labels: Vec<_> = undone.iter().map(|c| (&*c.binding.uri, c.kind.label())).collect();
    assert_eq!(
        labels,
        [
            ("sip:alice@192.0.2.7", "refreshed"),
            ("sip:alice@192.0.2.8", "registered"),
            ("sip:new@192.0.2.9", "deregistered")
        ]
    );
    let after = registrar.location.lookup("sip:alice@example.com", at(12));
    assert!(before.iter().all(|b| after.contains(b)));
    assert_eq!(after.len(), 3);
}

#[test]
fn rolling_back_leaves_alone_what_a_later_request_made() {
    let registrar = plain();
    let first = send(&registrar, &register("c", 1, &[PHONE]), NOW);
    send(&registrar, &register("c", 2, &[PHONE]), at(1));
    assert!(registrar.roll_back(&first.rollback.unwrap(), at(2)).unwrap().is_empty());
    assert_eq!(contacts(&registrar, at(2)), ["sip:alice@192.0.2.7"]);
}

#[test]
fn a_commit_holds_the_state_after_and_before() {
    let registrar = registrar(RegistrarSettings { commit: true, ..RegistrarSettings::default() });
    let first = send(&registrar, &register("c", 1, &[PHONE]), NOW).commit.unwrap();
    assert_eq!((&*first.key, first.previous), ("sip:alice@example.com", None));
    let state = AorState::from_bytes(&first.value.clone().unwrap()).unwrap();
    assert_eq!(state.bindings, registrar.location.lookup("sip:alice@example.com", NOW));
    let last = send(&registrar, &register("c", 2, &["Contact: *", "Expires: 0"]), NOW).commit.unwrap();
    assert_eq!((last.value, last.previous), (None, first.value));
    assert!(send(&registrar, &register("c", 3, &[]), NOW).commit.is_none());
}

#[test]
fn what_lapsed_before_its_timer_is_told_with_the_next_request() {
    let registrar = plain();
    send(&registrar, &register("c", 1, &["Contact: <sip:old@192.0.2.7>;expires=60"]), NOW);
    let outcome = send(&registrar, &register("c", 2, &[PHONE]), at(61));
    assert_eq!(
        kinds(&outcome),
        [("sip:old@192.0.2.7".to_owned(), "expired"), ("sip:alice@192.0.2.7".to_owned(), "registered")]
    );
    assert_eq!(values(&outcome, "Contact").len(), 1);
}

proptest::proptest! {
    #[test]
    fn whatever_a_register_says_a_refusal_changes_nothing_and_nothing_panics(
        lines in proptest::collection::vec(
            "(Contact: (\\*|<sip:[a-c]@h[12](;transport=tcp)?>(;q=[0-9.]{1,4})?(;expires=[0-9x]{0,5})?(;reg-id=[0-2])?)|Expires: [0-9]{0,4}|Supported: (path|gruu|outbound)|Path: <sip:e;lr(;ob)?>|Require: [a-z]{3,5})",
            0..6,
        ),
        cseq in 1u32..4,
    ) {
        let registrar = plain();
        send(&registrar, &register("c", 2, &["Contact: <sip:a@h1>, <sip:b@h2>;q=0.5"]), NOW);
        let before = registrar.location.encoded("sip:alice@example.com");
        let mut text = String::from_utf8(register("c", cseq, &[]).bytes().to_vec()).unwrap();
        let end = text.len() - 2;
        text.insert_str(end, &lines.iter().map(|l| format!("{l}\r\n")).collect::<String>());
        if let Ok(message) = Message::parse(text.as_bytes(), &Default::default()) {
            let outcome = send(&registrar, &message, at(1));
            let code = outcome.reply.code;
            proptest::prop_assert!([200, 400, 403, 420, 423, 439, 500].contains(&code), "{code}");
            if code != 200 {
                proptest::prop_assert_eq!(registrar.location.encoded("sip:alice@example.com"), before);
                proptest::prop_assert!(outcome.changes.is_empty());
            } else if let Some(rollback) = outcome.rollback {
                let told = values(&send(&registrar, &register("x", 1, &[]), at(1)), "Contact").len();
                proptest::prop_assert_eq!(told, contacts(&registrar, at(1)).len());
                registrar.roll_back(&rollback, at(1));
                let mut left = contacts(&registrar, at(1));
                left.sort();
                proptest::prop_assert_eq!(left, ["sip:a@h1", "sip:b@h2"]);
            }
        }
    }
}
