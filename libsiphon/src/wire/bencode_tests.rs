use super::{Dictionary, Limits, Malformed, Value, parse};
use proptest::prelude::*;

fn read(text: &str) -> Result<Value, Malformed> {
    parse(text.as_bytes(), &Limits::default())
}

fn written(value: &Value) -> String {
    let mut out = Vec::new();
    value.write(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn each_kind_of_value_is_read_and_written() {
    for text in
        ["i0e", "i-42e", "i9223372036854775807e", "0:", "4:spam", "le", "l4:spami3ee", "de", "d1:a1:b1:c0:e"]
    {
        assert_eq!(written(&read(text).unwrap()), text);
    }
    let value = read("d6:result2:ok4:listli1e1:xe3:numi7ee").unwrap();
    assert_eq!(value.get("result").and_then(Value::as_str), Some("ok"));
    assert_eq!(value.get("num").and_then(Value::as_integer), Some(7));
    assert_eq!(value.get("list").and_then(Value::as_list).map(<[_]>::len), Some(2));
    assert_eq!(value.get("none"), None);
    assert_eq!(value.get("result").unwrap().get("x"), None);
}

#[test]
fn keys_are_read_in_any_order_and_written_in_the_order_of_their_octets() {
    assert_eq!(written(&read("d2:zz1:11:a1:22:Z_1:3e").unwrap()), "d2:Z_1:31:a1:22:zz1:1e");
}

#[test]
fn what_is_no_value_is_refused_with_the_place() {
    let cases = [
        ("", Malformed::Truncated),
        ("x", Malformed::Unexpected { octet: b'x', at: 0 }),
        ("e", Malformed::Unexpected { octet: b'e', at: 0 }),
        ("i12", Malformed::Truncated),
        ("ie", Malformed::Number(1)),
        ("i-e", Malformed::Number(1)),
        ("i-0e", Malformed::Number(1)),
        ("i007e", Malformed::Number(1)),
        ("i+7e", Malformed::Number(1)),
        ("i9223372036854775808e", Malformed::Number(1)),
        ("i111111111111111111111111111", Malformed::Number(1)),
        ("5:spam", Malformed::Truncated),
        ("04:spam", Malformed::Number(0)),
        ("99999999999999999999:a", Malformed::Number(0)),
        ("9223372036854775807:a", Malformed::Truncated),
        ("l4:spam", Malformed::Truncated),
        ("di1e1:ae", Malformed::Key(1)),
        ("d1:ae", Malformed::Unexpected { octet: b'e', at: 4 }),
        ("d1:ai1e1:ai2ee", Malformed::Repeated(7)),
        ("i1ei2e", Malformed::Trailing(3)),
    ];
    for (text, fault) in cases {
        assert_eq!(read(text), Err(fault), "{text}");
    }
}

#[test]
fn depth_size_and_number_of_values_are_bounded() {
    let limits = Limits { octets: 64, depth: 3, values: 5 };
    assert!(parse(b"llleee", &limits).is_ok());
    assert_eq!(parse(b"lllleeee", &limits), Err(Malformed::TooDeep(3)));
    assert!(parse(b"li1ei1ei1ei1ee", &limits).is_ok());
    assert_eq!(parse(b"li1ei1ei1ei1ei1ee", &limits), Err(Malformed::TooMany(5)));
    assert_eq!(parse(&[b'l'; 65], &limits), Err(Malformed::TooLong(64)));
    // A hundred thousand open lists do not exhaust the stack.
    let open = vec![b'l'; 65_536];
    assert_eq!(parse(&open, &Limits::default()), Err(Malformed::TooDeep(16)));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        proptest::collection::vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        let key = proptest::collection::vec(any::<u8>(), 0..8);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::List),
            proptest::collection::btree_map(key, inner, 0..8)
                .prop_map(|entries| Value::Dictionary(Dictionary::from_iter(entries))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(value in any_value()) {
        let mut out = Vec::new();
        value.write(&mut out);
        prop_assert_eq!(parse(&out, &Limits::default()), Ok(value));
    }

    #[test]
    fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&octets, &Limits::default());
    }

    #[test]
    fn octets_that_look_like_it_are_read_or_refused_and_written_back_the_same(
        octets in proptest::collection::vec(proptest::sample::select(&b"dlei0123456789:-ab"[..]), 0..60)
    ) {
        if let Ok(value) = parse(&octets, &Limits::default()) {
            let mut out = Vec::new();
            value.write(&mut out);
            prop_assert_eq!(parse(&out, &Limits::default()), Ok(value));
            prop_assert_eq!(out.len(), octets.len());
        }
    }
}
