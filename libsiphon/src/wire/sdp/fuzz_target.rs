//! What fuzzing checks, as a plain function: `fuzz/` runs it under libFuzzer, a test under `cargo test`.

use super::*;

/// Reads a description, writes it, looks at all of it, and makes every edit. Panics when a promise of the module does
/// not hold.
pub fn description(bytes: &[u8]) {
    let sdp = match Sdp::parse(bytes) {
        Ok(sdp) => sdp,
        Err(fault) => {
            assert!(fault.to_string().bytes().all(|c| (b' '..=b'~').contains(&c)));
            return;
        }
    };
    assert_eq!(sdp.write(), bytes, "what is not touched is not changed");
    look(&sdp);
    assert_eq!(next_version(&sdp, &sdp), sdp.origin().and_then(|o| o.version()).unwrap_or_default());
    for edit in EDITS {
        let mut edited = sdp.clone();
        if edit(&mut edited).is_err() {
            continue;
        }
        let again = again(&edited);
        assert_eq!(again.media().len(), edited.media().len(), "an edit made or ate a section");
        look(&again);
        let once = edited.write();
        if edit(&mut edited).is_ok() {
            assert_eq!(edited.write(), once, "an edit made twice is made once");
        }
    }
    hidden(sdp);
}

fn again(sdp: &Sdp) -> Sdp {
    let wide = Limits { octets: usize::MAX, lines: usize::MAX, ..Limits::default() };
    Sdp::parse_within(&sdp.write(), &wide).expect("what is written can be read")
}

fn look(sdp: &Sdp) {
    let _ = (sdp.version(), sdp.origin(), sdp.session_name(), sdp.connection(), sdp.is_session_held());
    let _ = (sdp.bandwidths().count(), sdp.timings().count());
    for attribute in sdp.attributes() {
        assert!(sdp.has_attribute(attribute.name));
    }
    for media in sdp.media() {
        let _ = (media.port_count(), media.profile(), media.rtcp(), sdp.connection_of(media));
        let _ = (sdp.is_held(media), sdp.has_ice(media), sdp.has_dtls(media), sdp.has_crypto(media));
        assert!(media.is_rtp() || media.codecs().is_empty());
        for codec in media.codecs() {
            assert!(codec.same_as(&codec) && codec.payload_type < 128);
            assert!(codec.name.is_empty() || codec.name.contains('/') || codec.is(codec.name));
        }
    }
}

type Edit = fn(&mut Sdp) -> Result<(), Unwritable>;

/// Each changes nothing when it is made again.
const EDITS: &[Edit] = &[
    |s| s.filter_codecs(&["PCMA", "opus", "telephone-event"]),
    |s| s.remove_codecs(&["PCMU", "VP8", "AMR-WB"]),
    |s| s.reorder_codecs(&["G722", "PCMA"]),
    |s| s.reject_media("video").map(drop),
    |s| s.set_address([192, 0, 2, 7].into(), true),
    |s| s.hide_origin("-", 7, 1, [192, 0, 2, 7].into()),
    |s| s.set_version(8),
    |s| s.hold(),
    |s| s.set_attribute("tool", Some("siphon")),
    |s| s.media_mut().iter_mut().try_for_each(|m| m.set_attribute("ptime", Some("20"))),
    |s| s.media_mut().iter_mut().try_for_each(|m| m.set_direction(Direction::Inactive)),
    |s| s.media_mut().iter_mut().try_for_each(|m| m.set_address([192, 0, 2, 7].into())),
    |s| s.media_mut().iter_mut().try_for_each(|m| m.set_port(4000)),
    |s| s.media_mut().iter_mut().try_for_each(|m| m.reject()),
    |s| {
        s.remove_attribute("rtpmap");
        s.media_mut().iter_mut().for_each(|m| {
            m.remove_attribute("rtpmap");
        });
        Ok(())
    },
];

fn hidden(mut sdp: Sdp) {
    let sections = sdp.media().len();
    sdp.strip_unlisted::<&str>(&[]);
    let again = again(&sdp);
    assert_eq!(again.media().len(), sections);
    let listed = |name: &str| PASSED_ATTRIBUTES.iter().any(|p| p.name == name);
    assert!(
        again.attributes().chain(again.media().iter().flat_map(|m| m.attributes())).all(|a| listed(a.name))
    );
    assert_eq!(sdp.strip_unlisted::<&str>(&[]), 0);
}
