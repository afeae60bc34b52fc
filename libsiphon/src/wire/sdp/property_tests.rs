//! Any octets are written as they were read, and no edit breaks a description; a bounded run of the fuzz target.

use super::*;
use crate::base::rng::Rng;
use proptest::prelude::*;
use std::path::PathBuf;

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "a=(rtpmap|fmtp|rtcp-fb):(0|8|96|97|101) [A-Za-z0-9/ =;-]{0,20}",
        2 => "a=(sendonly|recvonly|inactive|sendrecv|ptime:20|mid:[ab]|group:BUNDLE a b|rtcp:9 IN IP4 h|X-y:z)",
        3 => "m=(audio|video|image) [0-9]{1,4}(/2)? (RTP/AVP|UDP/TLS/RTP/SAVPF|udptl)( (0|8|9|96|97|101)){0,5}",
        1 => "c=IN IP4 (192\\.0\\.2\\.1|0\\.0\\.0\\.0)",
        1 => "[osiuepcbtrzkx]=.{0,12}",
        1 => "[^\r\n]{0,12}",
    ]
}

fn description() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![4 => Just("\r\n"), 1 => Just("\n")];
    (prop::collection::vec((line(), end), 0..30), any::<bool>()).prop_map(|(lines, cut)| {
        let mut text = "v=0\r\n".to_owned();
        lines.iter().for_each(|(line, end)| text.push_str(&format!("{line}{end}")));
        if cut {
            text.pop();
        }
        text.into_bytes()
    })
}

proptest! {
    #[test]
    fn what_is_parsed_is_written_as_it_came(bytes in description()) {
        if let Ok(sdp) = Sdp::parse(&bytes) {
            prop_assert_eq!(sdp.write(), bytes);
        }
    }

    #[test]
    fn no_edit_breaks_a_description(bytes in description()) {
        fuzz_target::description(&bytes);
    }

    #[test]
    fn no_octets_make_anything_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        fuzz_target::description(&bytes);
        fuzz_target::description(&[b"v=0\r\n", &bytes[..]].concat());
    }
}

/// Pieces that make a mutation meaningful more often than octets do.
const WORDS: [&str; 16] = [
    "\r\n",
    "\n",
    "\r",
    "m=audio 4000 RTP/AVP 0\r\n",
    "m=",
    "a=",
    "a=rtpmap:96 ",
    ":",
    "/",
    " ",
    "0",
    "=",
    "v=0\r\n",
    "a=group:BUNDLE 0\r\n",
    "\u{fe}",
    "\0",
];

#[test]
fn the_fuzz_target_holds_on_its_corpus_and_near_it() {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "fuzz", "corpus", "sdp"].iter().collect();
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a corpus").map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).expect("readable")).collect();
    assert!(seeds.len() > 5, "the corpus is there");
    seeds.iter().for_each(|seed| fuzz_target::description(seed));
    let mut rng = Rng::seeded(8866);
    let mut below = |n: usize| (rng.next_u64() % (n.max(1) as u64)) as usize;
    for round in 0..ROUNDS {
        let mut input = seeds[round % seeds.len()].clone();
        for _ in 0..=below(4) {
            let at = below(input.len() + 1);
            let end = (at + below(20)).min(input.len());
            match below(5) {
                0 => drop(input.drain(at..end)),
                1 | 2 => drop(input.splice(at..at, WORDS[below(WORDS.len())].bytes())),
                3 => {
                    let copy = input[at..end].to_vec();
                    drop(input.splice(at..at, copy));
                }
                _ => drop(input.splice(at..end, [below(256) as u8])),
            }
        }
        if std::panic::catch_unwind(|| fuzz_target::description(&input)).is_err() {
            panic!("fails on {:?}", String::from_utf8_lossy(&input));
        }
    }
}

/// Enough to find what is wrong in a common place, in about a second; `fuzz/` is for the rest.
const ROUNDS: usize = 2000;
