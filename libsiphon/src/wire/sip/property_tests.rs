//! Properties of parser, splice and framer over generated input, and a bounded run of the fuzz targets.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::base::rng::Rng;

const MANDATORY: [&str; 5] = [
    "Via: SIP/2.0/UDP h;branch=z9hG4bK1",
    "From: <sip:a@h>;tag=1",
    "t: <sip:b@h>",
    "Call-ID: c",
    "CSeq: 7 INVITE",
];

/// A header field as a generator made it: name, what stands between, and the list values.
#[derive(Clone, Debug)]
struct Line {
    name: String,
    between: String,
    values: Vec<String>,
}

impl Line {
    fn text(&self) -> String {
        format!("{}{}{}\r\n", self.name, self.between, self.values.join(", "))
    }

    fn is(&self, name: &str) -> bool {
        let id = HeaderId::from_name(name);
        HeaderId::from_name(&self.name) == id
            && (id != HeaderId::Other || self.name.eq_ignore_ascii_case(name))
    }
}

fn line() -> impl Strategy<Value = Line> {
    let name = prop_oneof![
        Just("Route"),
        Just("ROUTE"),
        Just("Record-Route"),
        Just("X-A"),
        Just("x-a"),
        Just("x-b"),
        Just("Supported"),
        Just("k"),
        Just("v"),
        Just("User-Agent"),
        Just("Subject"),
        Just("s")
    ];
    let between = prop_oneof![Just(": "), Just(":"), Just(" :\t"), Just(":\r\n ")];
    (name, between, 0..9u8, 1..4usize).prop_map(|(name, between, n, count)| {
        let value = |i: usize| match HeaderId::from_name(name) {
            HeaderId::Via => format!("SIP/2.0/TCP h{n}x{i};branch=z9hG4bKold{n}"),
            HeaderId::Route | HeaderId::RecordRoute => format!("<sip:r{n}x{i};lr>;p=\"a,{i}\""),
            _ => format!("v{n}x{i}"),
        };
        let count = if HeaderId::from_name(name).is_list() { count } else { 1 };
        Line { name: name.into(), between: between.into(), values: (0..count).map(value).collect() }
    })
}

fn mandatory() -> Vec<Line> {
    let split = |text: &str| {
        let (name, value) = text.split_once(": ").expect("a header field");
        Line { name: name.into(), between: ": ".into(), values: vec![value.into()] }
    };
    MANDATORY.iter().map(|text| split(text)).collect()
}

fn lines() -> impl Strategy<Value = Vec<Line>> {
    (prop::collection::vec(line(), 0..12), any::<prop::sample::Index>()).prop_map(|(mut extra, at)| {
        // The first Via is ours to know; the others land anywhere behind it.
        let at = at.index(extra.len() + 1);
        let tail = extra.split_off(at);
        let mut all = mandatory();
        all.splice(1..1, extra);
        all.extend(tail);
        all
    })
}

#[derive(Clone, Debug)]
enum Edit {
    Set(&'static str),
    Append(&'static str),
    Prepend(&'static str),
    Remove(&'static str),
    PushVia,
    PopVia,
    PopRoutes(usize),
    RemoveValue(HeaderId, usize),
    ReplaceValue(HeaderId, usize),
    Uri,
}

fn edit() -> impl Strategy<Value = Edit> {
    let name = || prop_oneof![Just("X-A"), Just("X-NEW"), Just("Subject"), Just("k"), Just("Route")];
    let list = || prop_oneof![Just(HeaderId::Supported), Just(HeaderId::Route), Just(HeaderId::RecordRoute)];
    prop_oneof![
        name().prop_map(Edit::Set),
        name().prop_map(Edit::Append),
        name().prop_map(Edit::Prepend),
        name().prop_map(Edit::Remove),
        Just(Edit::PushVia),
        Just(Edit::PopVia),
        (0..5usize).prop_map(Edit::PopRoutes),
        (list(), 0..5usize).prop_map(|(id, n)| Edit::RemoveValue(id, n)),
        (list(), 0..5usize).prop_map(|(id, n)| Edit::ReplaceValue(id, n)),
        Just(Edit::Uri),
    ]
}

/// The same edits on text: what [`Splice`] is held against.
struct Model {
    uri: &'static str,
    lines: Vec<Line>,
}

impl Model {
    fn added(name: &str, value: &str) -> Line {
        let id = HeaderId::from_name(name);
        let name = if id == HeaderId::Other { name } else { id.name() };
        Line { name: name.into(), between: ": ".into(), values: vec![value.into()] }
    }

    fn behind_via(&self) -> usize {
        let first = self.lines.iter().position(|l| l.is("Via"));
        first.map_or(0, |at| at + self.lines[at..].iter().take_while(|l| l.is("Via")).count())
    }

    fn remove_values(&mut self, name: &str, mut nth: usize, mut count: usize) {
        for line in self.lines.iter_mut().filter(|l| l.is(name)) {
            let n = line.values.len();
            let from = nth.min(n);
            let to = (from + count).min(n);
            line.values.drain(from..to);
            count -= to - from;
            nth -= from;
        }
        self.lines.retain(|l| !l.values.is_empty());
    }

    fn apply(&mut self, edit: &Edit, splice: &mut Splice<'_>) {
        let first = |lines: &[Line], name: &str| lines.iter().position(|l| l.is(name));
        match *edit {
            Edit::Set(name) => {
                splice.set(name, "set").expect("safe");
                match first(&self.lines, name) {
                    None => self.lines.push(Self::added(name, "set")),
                    Some(at) => {
                        self.lines[at].values = vec!["set".into()];
                        let mut n = 0;
                        self.lines.retain(|l| {
                            n += 1;
                            n <= at + 1 || !l.is(name)
                        });
                    }
                }
            }
            Edit::Append(name) => {
                splice.append(name, "app").expect("safe");
                self.lines.push(Self::added(name, "app"));
            }
            Edit::Prepend(name) => {
                splice.prepend(name, "pre").expect("safe");
                let at = first(&self.lines, name).unwrap_or_else(|| self.behind_via());
                self.lines.insert(at, Self::added(name, "pre"));
            }
            Edit::Remove(name) => {
                splice.remove_named(name);
                self.lines.retain(|l| !l.is(name));
            }
            Edit::PushVia => {
                splice.push_via("SIP/2.0/UDP p;branch=z9hG4bKnew").expect("safe");
                let at = first(&self.lines, "Via").unwrap_or(0);
                self.lines.insert(at, Self::added("Via", "SIP/2.0/UDP p;branch=z9hG4bKnew"));
            }
            Edit::PopVia => {
                splice.pop_via();
                self.remove_values("Via", 0, 1);
            }
            Edit::PopRoutes(n) => {
                splice.pop_routes(n);
                self.remove_values("Route", 0, n);
            }
            Edit::RemoveValue(id, nth) => {
                splice.remove_value(id, nth);
                self.remove_values(id.name(), nth, 1);
            }
            Edit::ReplaceValue(id, nth) => {
                splice.replace_value(id, nth, "new").expect("safe");
                let mut values =
                    self.lines.iter_mut().filter(|l| l.is(id.name())).flat_map(|l| &mut l.values);
                if let Some(value) = values.nth(nth) {
                    *value = "new".into();
                }
            }
            Edit::Uri => {
                splice.set_request_uri("sip:new@h").expect("safe");
                self.uri = "sip:new@h";
            }
        }
    }

    fn text(&self, length: &str, body: &[u8]) -> Vec<u8> {
        let mut text = format!("INVITE {} SIP/2.0\r\n", self.uri).into_bytes();
        self.lines.iter().for_each(|l| text.extend(l.text().into_bytes()));
        text.extend(length.bytes());
        text.extend(b"\r\n");
        text.extend(body);
        text
    }
}

proptest! {
    #[test]
    fn what_is_parsed_prints_as_it_came(lines in lines(), body in prop::collection::vec(any::<u8>(), 0..40)) {
        let model = Model { uri: "sip:b@h", lines };
        let text = model.text(&format!("l : {}\r\n", body.len()), &body);
        let m = Message::parse(&text, &Limits::default()).expect("well formed");
        prop_assert_eq!(m.bytes(), &text[..]);
        prop_assert_eq!(m.body(), &body[..]);
        let seen: Vec<_> = m.headers().map(|h| (h.name.to_owned(), h.text().into_owned())).collect();
        let made: Vec<_> = model.lines.iter().map(|l| (l.name.clone(), l.values.join(", "))).collect();
        prop_assert_eq!(&seen[..seen.len() - 1], &made[..]);
        for line in &model.lines {
            let id = HeaderId::from_name(&line.name);
            if id.is_list() {
                let all: Vec<_> = m.values(id).map(|v| v.into_owned()).collect();
                let expected: Vec<_> = model.lines.iter().filter(|l| l.is(&line.name)).flat_map(|l| l.values.clone()).collect();
                prop_assert_eq!(all, expected);
            }
        }
        let mut out = Vec::new();
        Splice::of(&m).write(&mut out);
        prop_assert_eq!(out, text);
    }

    #[test]
    fn edits_leave_every_other_octet_alone(
        lines in lines(),
        edits in prop::collection::vec(edit(), 1..12),
        body in prop::collection::vec(any::<u8>(), 0..10),
    ) {
        let mut model = Model { uri: "sip:b@h", lines };
        model.lines.push(Line { name: "l".into(), between: ":".into(), values: vec![body.len().to_string()] });
        let text = model.text("", &body);
        let m = Message::parse(&text, &Limits::default()).expect("well formed");
        let mut splice = Splice::of(&m);
        for edit in &edits {
            model.apply(edit, &mut splice);
            let mut out = Vec::new();
            splice.write(&mut out);
            let expected = model.text("", &body);
            prop_assert_eq!(String::from_utf8_lossy(&out), String::from_utf8_lossy(&expected), "after {:?}", edit);
        }
    }

    #[test]
    fn no_octets_make_anything_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for (_, target) in TARGETS {
            target(&bytes);
        }
    }
}

type Target = fn(&[u8]);

/// The fuzz targets, by the name of their corpus.
const TARGETS: [(&str, Target); 6] = [
    ("message", fuzz_targets::message),
    ("uri", fuzz_targets::uri),
    ("framing", fuzz_targets::framing),
    ("name_addr", fuzz_targets::name_addr),
    ("auth", fuzz_targets::auth),
    ("multipart", fuzz_targets::multipart_body),
];

fn files(folder: &Path) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.expect("readable").path())
        .collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).expect("readable")).collect()
}

/// Pieces that make a mutation meaningful more often than octets do.
const WORDS: [&str; 24] = [
    "\r\n",
    "\r\n\r\n",
    "\r\n ",
    "\r",
    "\n",
    ",",
    ";",
    "\"",
    "<",
    ">",
    "@",
    ":",
    "=",
    "\\",
    "%00",
    "%",
    "\0",
    "\u{fe}",
    "[::1]",
    "Content-Length: 5\r\n",
    "l:0\r\n",
    "Via: SIP/2.0/UDP x;branch=z9hG4bKy\r\n",
    "SIP/2.0",
    "4294967296",
];

fn mutate(seed: &[u8], other: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    let below = |rng: &mut Rng, n: usize| (rng.next_u64() % (n.max(1) as u64)) as usize;
    for _ in 0..=below(rng, 4) {
        let at = below(rng, bytes.len() + 1);
        let end = (at + below(rng, 20)).min(bytes.len());
        match below(rng, 6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..at, WORDS[below(rng, WORDS.len())].bytes())),
            3 => {
                if let Some(octet) = bytes.get_mut(at) {
                    *octet = rng.next_u64() as u8;
                }
            }
            4 => {
                let copy = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, copy));
            }
            _ => {
                let from = below(rng, other.len());
                let to = (from + below(rng, 80)).min(other.len());
                drop(bytes.splice(at..end, other[from..to].iter().copied()));
            }
        }
    }
    bytes
}

#[test]
fn the_fuzz_targets_hold_on_their_corpus_and_near_it() {
    let root: PathBuf = [env!("CARGO_MANIFEST_DIR"), ".."].iter().collect();
    let torture =
        ["rfc4475", "rfc5118"].map(|set| files(&root.join("tests/data/torture").join(set))).concat();
    let mut rng = Rng::seeded(4475);
    for (name, target) in TARGETS {
        let mut seeds = files(&root.join("fuzz/corpus").join(name));
        assert!(!seeds.is_empty(), "{name} has no corpus");
        if name == "message" || name == "framing" {
            seeds.extend(torture.iter().cloned());
        }
        seeds.iter().for_each(|seed| target(seed));
        for round in 0..ROUNDS {
            let seed = &seeds[round % seeds.len()];
            let other = &seeds[(rng.next_u64() % seeds.len() as u64) as usize];
            let input = mutate(seed, other, &mut rng);
            if std::panic::catch_unwind(|| target(&input)).is_err() {
                panic!("{name} fails on {:?}", String::from_utf8_lossy(&input));
            }
        }
    }
}

/// Enough to find what is wrong in a common place, in about a second; `fuzz/` is for the rest.
const ROUNDS: usize = 4000;
