//! RFC 4475 and RFC 5118: every message of the manifest against the parser.

use std::path::PathBuf;

use serde_json::Value;

use super::*;

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "tests", "data", "torture"].iter().collect()
}

/// File name, verdict, codes and octets of every message.
fn messages() -> Vec<(String, String, Vec<u16>, Vec<u8>)> {
    let mut all = Vec::new();
    for set in ["rfc4475", "rfc5118"] {
        let manifest = std::fs::read_to_string(folder().join(set).join("manifest.json")).expect("manifest");
        let manifest: Value = serde_json::from_str(&manifest).expect("manifest is JSON");
        for row in manifest["messages"].as_array().expect("messages") {
            let file = row["file"].as_str().expect("file");
            let codes = row["codes"].as_array().expect("codes").iter();
            let codes = codes.map(|c| c.as_u64().expect("code") as u16).collect();
            let bytes = std::fs::read(folder().join(set).join(file)).expect("message");
            assert_eq!(bytes.len() as u64, row["bytes"].as_u64().expect("bytes"), "{file} was changed");
            all.push((file.to_owned(), row["verdict"].as_str().expect("verdict").to_owned(), codes, bytes));
        }
    }
    all
}

fn named(file: &str) -> Message {
    let (_, _, _, bytes) = messages().into_iter().find(|m| m.0 == file).expect("in the manifest");
    Message::parse(&bytes, &Limits::default()).unwrap_or_else(|r| panic!("{file}: {}", r.fault))
}

/// Verdicts that take more than a parser: validation (RFC 3261 16.3) refuses these, and a client transaction or proxy
/// drops what carries no Via of its own.
const ABOVE: [&str; 3] = ["unkscm.dat", "bext01.dat", "bcast.dat"];

#[test]
fn every_verdict_of_the_manifest_holds() {
    let all = messages();
    assert_eq!(all.len(), 61, "the manifest lost messages");
    let mut wrong = Vec::new();
    for (file, verdict, codes, bytes) in all {
        let parsed = Message::parse(&bytes, &Limits::default());
        let seen = match &parsed {
            Ok(m) => format!("accepted as {m:?}"),
            Err(r) => {
                format!("refused: {} {} (answerable: {})", r.fault.status(), r.fault, r.message.is_some())
            }
        };
        let answered = |r: &Refused| codes.contains(&r.fault.status()) && r.message.is_some();
        let right = match (verdict.as_str(), &parsed) {
            ("accept", Ok(_)) => true,
            ("reject" | "drop", Ok(_)) => ABOVE.contains(&file.as_str()),
            ("reject", Err(refused)) => answered(refused) && !ABOVE.contains(&file.as_str()),
            ("drop", Err(refused)) => refused.message.is_none(),
            ("either", Ok(_)) => true,
            // Without codes the manifest asks for no more than survival.
            ("either", Err(refused)) => answered(refused) || codes.is_empty(),
            _ => false,
        };
        if !right {
            wrong.push(format!("{file}: {verdict} {codes:?}, but {seen}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_refused_names_its_fault() {
    let mut faults = String::new();
    for (file, _, _, bytes) in messages() {
        if let Err(refused) = Message::parse(&bytes, &Limits::default()) {
            let answer = refused.message.as_ref().map_or("drop", |_| "answer");
            faults.push_str(&format!("{file}: {answer} {} {}\n", refused.fault.status(), refused.fault));
        }
    }
    insta::assert_snapshot!(faults);
}

#[test]
fn validation_above_finds_what_it_needs() {
    let unknown = named("unkscm.dat");
    assert_eq!(unknown.uri().expect("a URI").scheme(), Scheme::Other);
    let required = named("bext01.dat");
    let tags: Vec<_> = required.values(HeaderId::ProxyRequire).map(|v| v.into_owned()).collect();
    assert_eq!(tags, ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"]);
    assert_eq!(named("zeromf.dat").max_forwards(), Some(0));
    assert_eq!(named("bcast.dat").second_via().expect("two").host, "255.255.255.255");
    let legacy = named("inv2543.dat");
    assert_eq!((legacy.via().branch, legacy.from_tag(), legacy.max_forwards()), (None, None, None));
    assert_eq!(named("badbranch.dat").via().rfc3261_branch(), None);
    let odd = named("esc02.dat");
    assert_eq!((odd.method(), odd.method_name()), (Method::Other, "RE%47IST%45R"));
    // Two of Contact; C%6Fntact is another header field.
    assert_eq!((odd.contacts().count(), odd.header_named("C%6Fntact").is_some()), (2, true));
}

#[test]
fn wsinv_is_read_through_folding_and_odd_white_space() {
    let m = named("wsinv.dat");
    assert_eq!(m.to_tag(), Some("1918181833n"));
    assert_eq!(m.from_tag(), Some("98asjd8"));
    assert_eq!(m.from().expect("fits").display().as_deref(), Some("J Rosenberg \\\""));
    assert_eq!((m.max_forwards(), m.cseq()), (Some(68), 9));
    let via = m.via();
    assert_eq!((via.transport, via.host, via.branch), ("UDP", "192.0.2.2", Some("390skdjuw")));
    let branches: Vec<_> = m.values(HeaderId::Via).map(|v| v.into_owned()).collect();
    assert_eq!(branches.len(), 3);
    assert_eq!(m.second_via().expect("there").branch, Some("z9hG4bK9ikj8"));
    assert_eq!(
        m.header_named("newfangledheader").as_deref(),
        Some("newfangled value continued newfangled value")
    );
    assert_eq!(m.header_named("unknownheaderwithunusualvalue").as_deref(), Some(";;,,;;,;"));
    let contact = m.contacts().next().expect("one").expect("fits");
    assert_eq!(contact.display().as_deref(), Some("Quoted string \"\""));
    assert_eq!(
        (contact.q(), contact.param("newparam"), contact.param("secondparam")),
        (Some(330), Some("newvalue"), Some(""))
    );
    assert_eq!(m.body().len(), 150);
}

#[test]
fn escapes_are_undone_once_and_a_nul_does_not_end_a_user() {
    let m = named("esc01.dat");
    assert_eq!(m.uri().expect("a URI").user_unescaped().as_deref(), Some("sips:user@example.com"));
    let contact = m.contacts().next().expect("one").expect("fits");
    assert_eq!(contact.uri.user_unescaped().as_deref(), Some("caller"));
    assert!(m.from().expect("fits").uri.user().is_some());
    let m = named("escnull.dat");
    let keys: Vec<_> = m.contacts().map(|c| c.expect("fits").uri.canonical_aor()).collect();
    assert_eq!(keys, ["sip:\0@host5.example.com", "sip:\0\0@host5.example.com"]);
    let m = named("semiuri.dat");
    assert_eq!(m.uri().expect("a URI").user(), Some("user;par=u%40example.net"));
    assert_eq!(m.uri().expect("a URI").host(), "example.com");
}

#[test]
fn parameters_belong_to_the_uri_only_inside_brackets() {
    let header = named("cparam01.dat");
    let contact = header.contacts().next().expect("one").expect("fits");
    assert_eq!((contact.param("unknownparam"), contact.uri.param("unknownparam")), (Some(""), None));
    let uri = named("cparam02.dat");
    let contact = uri.contacts().next().expect("one").expect("fits");
    assert_eq!((contact.param("unknownparam"), contact.uri.param("unknownparam")), (None, Some("")));
    let escaped = named("regescrt.dat");
    let contact = escaped.contacts().next().expect("one").expect("fits");
    let pairs: Vec<_> = contact.uri.header_pairs().map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
    assert_eq!(pairs, [("Route".to_owned(), "<sip:sip.example.com>".to_owned())]);
    // Without brackets the header part would be read as the header field's: refused as a value, kept as bytes.
    assert!(named_contact_is_refused("regbadct.dat"));
}

fn named_contact_is_refused(file: &str) -> bool {
    named(file).contacts().next().expect("one").is_err()
}

#[test]
fn ipv6_references_are_told_from_ports() {
    let m = named("port-ambiguous.dat");
    let uri = m.uri().expect("a URI");
    assert_eq!((uri.host(), uri.port(), uri.is_ipv6()), ("[2001:db8::10:5070]", None, true));
    let m = named("port-unambiguous.dat");
    assert_eq!(m.uri().expect("a URI").port(), Some(5070));
    for file in ["via-received-param-no-delim.dat", "via-received-param-with-delim.dat"] {
        assert_eq!(
            named(file).via().received,
            Some("2001:db8::9:255".parse().expect("an address")),
            "{file}"
        );
    }
}

#[test]
fn multipart_with_binary_content_is_split() {
    let m = named("mpart01.dat");
    let kind = m.header(HeaderId::ContentType).expect("there");
    let parts = multipart::split(&kind, m.body()).expect("fits");
    let kinds: Vec<_> = parts.iter().map(|p| p.content_type()).collect();
    assert_eq!(kinds.len(), 2, "{kinds:?}");
    assert_eq!(kinds[0], "text/plain");
    assert!(
        kinds[1].starts_with("application/pkcs7-signature")
            || kinds[1].starts_with("application/octet-stream"),
        "{kinds:?}"
    );
    assert!(parts[1].body.contains(&0), "the signature holds zero octets");
}

#[test]
fn every_accepted_message_prints_as_it_came() {
    for (file, _, _, bytes) in messages() {
        let Ok(m) = Message::parse(&bytes, &Limits::default()) else { continue };
        assert!(bytes.starts_with(m.bytes()), "{file}");
        let mut out = Vec::new();
        Splice::of(&m).write(&mut out);
        let again =
            Message::parse(&out, &Limits::default()).unwrap_or_else(|r| panic!("{file}: {}", r.fault));
        assert_eq!(again.body(), m.body(), "{file}");
        if m.has(HeaderId::ContentLength) {
            assert_eq!(out, m.bytes(), "{file}");
        }
    }
}
