use super::*;
use crate::wire::sip::Limits;

const PAGE: &str = include_str!("../../../../docs/reference/header-policies.md");

/// The names in the section of the page under that heading.
fn listed(heading: &str) -> Vec<String> {
    let section =
        PAGE.split("\n## ").find(|s| s.starts_with(heading)).unwrap_or_else(|| panic!("no {heading}"));
    let names = section.lines().filter(|line| line.starts_with('`'));
    names.flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn names(table: &[HeaderId]) -> Vec<String> {
    table.iter().map(|id| id.name().to_owned()).collect()
}

#[test]
fn the_page_has_the_tables_of_the_code() {
    assert_eq!(listed("Header fields that pass with every preset"), names(PASSING));
    assert_eq!(listed("Header fields that pass with `trunk` besides"), names(TRUSTED));
    assert_eq!(listed("Header fields of which each side has its own"), names(OWN));
}

#[test]
fn no_header_field_is_in_two_tables() {
    for (table, others) in [(PASSING, TRUSTED), (PASSING, OWN), (TRUSTED, OWN)] {
        assert!(table.iter().all(|id| !others.contains(id)));
    }
}

/// An INVITE with every header field there is, each with a mark of its own.
fn marked() -> Message {
    let mut text = String::from(
        "INVITE sip:bob@x SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n\
         Call-ID: 1\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nX-Unknown: mark-X-Unknown\r\n",
    );
    for id in HeaderId::ALL
        .iter()
        .filter(|id| !text.contains(&format!("\n{}: ", id.name())))
        .copied()
        .collect::<Vec<_>>()
    {
        if !matches!(id, HeaderId::ContentLength | HeaderId::Expires | HeaderId::RSeq | HeaderId::RAck) {
            text += &format!("{}: mark-{}\r\n", id.name(), id.name());
        }
    }
    Message::parse((text + "\r\n").as_bytes(), &Limits::default()).unwrap_or_else(|r| panic!("{:?}", r.fault))
}

#[test]
fn each_preset_lets_its_tables_through_and_transparent_all_but_what_each_side_has() {
    let invite = marked();
    let through = |preset| -> Vec<String> {
        let policy = HeaderPolicy { preset: Some(preset), ..HeaderPolicy::default() };
        passing(&invite, &policy, HeaderPreset::TopologyHiding)
            .into_iter()
            .map(|(n, _)| n.to_string())
            .collect()
    };
    let hiding = through(HeaderPreset::TopologyHiding);
    assert!(hiding.len() > 15 && hiding.iter().all(|n| names(PASSING).contains(n)), "{hiding:?}");
    let trunk = through(HeaderPreset::Trunk);
    assert_eq!(trunk.len(), hiding.len() + TRUSTED.len());
    let transparent = through(HeaderPreset::Transparent);
    assert!(transparent.contains(&"X-Unknown".to_owned()) && transparent.len() > trunk.len() + 20);
    assert!(transparent.iter().all(|n| !names(OWN).contains(n)), "{transparent:?}");
}

#[test]
fn copy_strip_translate_and_own_change_what_passes() {
    let invite = marked();
    let policy = HeaderPolicy {
        copy: vec!["x-unknown".into(), "Via".into()],
        strip: vec!["s".into()],
        translate: vec![("Organization".into(), "X-Org".into())],
        own: vec!["Call-Info".into()],
        ..HeaderPolicy::default()
    };
    let passed = passing(&invite, &policy, HeaderPreset::TopologyHiding);
    let value = |name: &str| passed.iter().find(|(n, _)| &**n == name).map(|(_, v)| v.to_string());
    assert_eq!(value("X-Unknown").as_deref(), Some("mark-X-Unknown"));
    assert_eq!(value("X-Org").as_deref(), Some("mark-Organization"));
    assert_eq!(value("Call-Info").as_deref(), Some("mark-Call-Info"));
    for gone in ["Subject", "Organization", "Via"] {
        assert_eq!(value(gone), None, "{gone}");
    }
}
