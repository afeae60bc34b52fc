//! Edits change the lines they are about, and no others.

use super::*;

const WEB: &str = include_str!("../../../../fuzz/corpus/sdp/webrtc");
const PHONE: &str = include_str!("../../../../fuzz/corpus/sdp/phone");

fn parsed(text: &str) -> Sdp {
    Sdp::parse(text.as_bytes()).expect("a description")
}

fn text(sdp: &Sdp) -> String {
    String::from_utf8(sdp.write()).expect("text")
}

/// The lines that `edit` takes from `before`, with `-`, and those it adds, with `+`.
fn changes(before: &str, edit: impl FnOnce(&mut Sdp) -> Result<(), Unwritable>) -> Vec<String> {
    let mut sdp = parsed(before);
    edit(&mut sdp).expect("can be written");
    let after = text(&sdp);
    let (old, new): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let gone = old.iter().filter(|l| count(&old, l) > count(&new, l)).map(|l| format!("-{l}"));
    let came = new.iter().filter(|l| count(&new, l) > count(&old, l)).map(|l| format!("+{l}"));
    gone.chain(came).collect()
}

fn count(lines: &[&str], line: &str) -> usize {
    lines.iter().filter(|l| **l == line).count()
}

#[test]
fn attributes_are_set_added_and_removed_where_they_belong() {
    let before = "v=0\r\ns=-\r\nt=0 0\r\na=one:1\r\na=flag\r\nm=audio 1 RTP/AVP 0\r\nc=IN IP4 h\r\n";
    let mut sdp = parsed(before);
    sdp.set_attribute("one", Some("2")).expect("safe");
    sdp.set_attribute("two", None).expect("safe");
    sdp.add_attribute("one", Some("3")).expect("safe");
    let audio = &mut sdp.media_mut()[0];
    audio.set_attribute("ptime", Some("20")).expect("safe");
    let after = "v=0\r\ns=-\r\nt=0 0\r\na=one:2\r\na=flag\r\na=two\r\na=one:3\r\nm=audio 1 RTP/AVP 0\r\nc=IN IP4 h\r\na=ptime:20\r\n";
    assert_eq!(text(&sdp), after);
    sdp.set_attribute("one", Some("4")).expect("safe");
    assert_eq!(sdp.attributes().map(|a| a.text).collect::<Vec<_>>(), ["one:4", "flag", "two"]);
    assert_eq!((sdp.remove_attribute("flag"), sdp.remove_attribute("flag")), (1, 0));
    sdp.set_attributes(["tool:x", "recvonly"].into_iter()).expect("safe");
    assert_eq!(
        text(&sdp),
        after.replace("a=one:2\r\na=flag\r\na=two\r\na=one:3\r\n", "a=tool:x\r\na=recvonly\r\n")
    );
}

#[test]
fn text_that_would_be_another_line_is_refused_and_changes_nothing() {
    let mut sdp = parsed(PHONE);
    for bad in ["x\r\na=y", "x\ny", "x\0"] {
        assert_eq!(sdp.set_attribute("tool", Some(bad)), Err(Unwritable::LineBreak));
        assert!(sdp.set_attributes([bad].into_iter()).is_err());
    }
    for bad in ["", "a b", "a:b", "a\r\n"] {
        assert_eq!(sdp.add_attribute(bad, None), Err(Unwritable::Name));
    }
    let here = [192, 0, 2, 1].into();
    assert_eq!(sdp.hide_origin("a b", 1, 1, here), Err(Unwritable::UserName));
    assert_eq!(sdp.hide_origin("a\r\ns=x", 1, 1, here), Err(Unwritable::LineBreak));
    assert_eq!(text(&sdp), PHONE);
    let filled = (0..3000).try_for_each(|n| sdp.add_attribute("x", Some(&n.to_string())));
    assert_eq!(filled, Err(Unwritable::TooMuch));
}

#[test]
fn a_new_line_ends_as_the_others_do_also_after_one_cut_short() {
    let mut sdp = parsed("v=0\nm=audio 1 RTP/AVP 0");
    sdp.media_mut()[0].set_direction(Direction::SendOnly).expect("safe");
    assert_eq!(text(&sdp), "v=0\nm=audio 1 RTP/AVP 0\na=sendonly\n");
    let mut sdp = parsed("v=0\r\nm=audio  1  RTP/AVP\t0 8");
    sdp.media_mut()[0].set_port(7).expect("safe");
    assert_eq!(text(&sdp), "v=0\r\nm=audio  7  RTP/AVP\t0 8", "the spaces of the line stay");
}

#[test]
fn codecs_that_are_not_kept_take_their_lines_along() {
    let diff = changes(PHONE, |s| s.filter_codecs(&["pcma", "iLBC", "telephone-event"]));
    assert_eq!(
        diff,
        [
            "-m=audio 49170 RTP/AVP 0 8 9 97 101",
            "-a=rtpmap:0 PCMU/8000",
            "-m=video 51372/2 RTP/AVP 31 96",
            "+m=audio 49170 RTP/AVP 8 97 101",
            "+m=video 0 RTP/AVP 31",
        ]
    );
    let diff = changes(PHONE, |s| s.remove_codecs(&["iLBC", "g722/8000/1"]));
    assert_eq!(
        diff,
        [
            "-m=audio 49170 RTP/AVP 0 8 9 97 101",
            "-a=rtpmap:97 iLBC/8000",
            "-a=fmtp:97 mode=20",
            "+m=audio 49170 RTP/AVP 0 8 101",
        ]
    );
    assert_eq!(changes(PHONE, |s| s.remove_codecs(&["EVS"])), [""; 0]);
}

#[test]
fn a_filter_that_leaves_only_dtmf_rejects_the_section() {
    let before =
        "v=0\r\nm=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n";
    let mut sdp = parsed(before);
    sdp.filter_codecs(&["opus", "telephone-event"]).expect("safe");
    assert_eq!(text(&sdp), "v=0\r\nm=audio 0 RTP/AVP 0\r\n");
    // A section that is nothing but DTMF is left alone as long as that is not removed.
    let mut sdp = parsed("v=0\r\nm=audio 4000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    sdp.remove_codecs(&["PCMU"]).expect("safe");
    assert!(!sdp.media()[0].is_rejected());
    sdp.remove_codecs(&["telephone-event"]).expect("safe");
    assert!(sdp.media()[0].is_rejected());
}

#[test]
fn dtmf_follows_the_last_codec_of_its_clock_rate() {
    let before = "v=0\r\nm=audio 4000 RTP/AVP 96 97 98 99 13\r\na=rtpmap:96 AMR-WB/16000\r\na=rtpmap:97 AMR/8000\r\n\
                  a=rtpmap:98 telephone-event/16000\r\na=rtpmap:99 telephone-event/8000\r\n";
    let formats = |s: &Sdp| s.media()[0].formats().collect::<Vec<_>>().join(" ");
    let mut wide = parsed(before);
    wide.filter_codecs(&["AMR-WB", "telephone-event", "CN"]).expect("safe");
    assert_eq!(formats(&wide), "96 98");
    let mut narrow = parsed(before);
    narrow.remove_codecs(&["AMR-WB"]).expect("safe");
    assert_eq!(formats(&narrow), "97 99 13");
    // It never had a codec of its rate here, so none of that rate was its reason to be.
    let mut opus = parsed(
        "v=0\r\nm=audio 4 RTP/AVP 8 96 97\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 telephone-event/90000\r\n",
    );
    opus.remove_codecs(&["PCMA"]).expect("safe");
    assert_eq!(formats(&opus), "96 97");
}

#[test]
fn retransmission_and_feedback_go_with_their_codec() {
    let diff = changes(WEB, |s| s.remove_codecs(&["VP8"]));
    assert_eq!(
        diff,
        [
            "-m=video 9 UDP/TLS/RTP/SAVPF 96 97 102 103 104 105",
            "-a=rtpmap:96 VP8/90000",
            "-a=rtcp-fb:96 nack pli",
            "-a=rtpmap:97 rtx/90000",
            "-a=fmtp:97 apt=96",
            "-a=rtpmap:104 red/90000",
            "-a=fmtp:104 96/102",
            "+m=video 9 UDP/TLS/RTP/SAVPF 102 103 105",
        ]
    );
}

#[test]
fn preferred_codecs_come_first_and_the_others_keep_their_order() {
    let diff = changes(PHONE, |s| s.reorder_codecs(&["G722", "pcma"]));
    assert_eq!(diff, ["-m=audio 49170 RTP/AVP 0 8 9 97 101", "+m=audio 49170 RTP/AVP 9 8 0 97 101"]);
    assert_eq!(changes(PHONE, |s| s.reorder_codecs(&["PCMU"])), [""; 0]);
}

#[test]
fn a_rejected_section_stays_in_its_place_and_leaves_its_bundle() {
    let mut sdp = parsed(WEB);
    assert_eq!(sdp.reject_media("video"), Ok(1));
    assert_eq!(sdp.media().len(), 3);
    assert_eq!(sdp.attribute("group").and_then(|a| a.value), Some("BUNDLE 0 2"));
    assert!(text(&sdp).contains("\r\nm=video 0 UDP/TLS/RTP/SAVPF 96\r\n"));
    assert_eq!(sdp.reject_media("message"), Ok(0));
    let mut sdp = parsed(WEB);
    assert_eq!(sdp.remove_media("video"), Ok(1));
    assert_eq!(sdp.media().iter().map(Media::kind).collect::<Vec<_>>(), ["audio", "application"]);
    assert_eq!(sdp.attribute("group").and_then(|a| a.value), Some("BUNDLE 0 2"));
    let mut sdp = parsed("v=0\r\na=group:BUNDLE v\r\nm=video 1 RTP/AVP 31\r\na=mid:v\r\n");
    sdp.reject_media("video").expect("safe");
    assert!(!sdp.has_attribute("group"));
}

#[test]
fn hold_and_resume_turn_each_live_section() {
    let before =
        "v=0\r\nm=audio 1 RTP/AVP 0\r\nm=video 2 RTP/AVP 31\r\na=recvonly\r\nm=text 0 RTP/AVP 98\r\n";
    let mut sdp = parsed(before);
    sdp.hold().expect("safe");
    let held = "v=0\r\nm=audio 1 RTP/AVP 0\r\na=sendonly\r\nm=video 2 RTP/AVP 31\r\na=inactive\r\nm=text 0 RTP/AVP 98\r\n";
    assert_eq!((text(&sdp).as_str(), sdp.is_session_held()), (held, true));
    sdp.hold().expect("safe");
    assert_eq!(text(&sdp), held, "a second hold changes nothing");
    sdp.resume().expect("safe");
    assert_eq!(text(&sdp), held.replace("sendonly", "sendrecv").replace("inactive", "recvonly"));
    assert!(!sdp.is_session_held());
}

#[test]
fn media_are_sent_elsewhere_but_not_what_is_held_by_address() {
    let diff = changes(PHONE, |s| s.set_address([203, 0, 113, 5].into(), true));
    assert_eq!(
        diff,
        [
            "-c=IN IP4 192.0.2.10",
            "-c=IN IP4 192.0.2.11",
            "-a=rtcp:53020 IN IP4 192.0.2.12",
            "+c=IN IP4 203.0.113.5",
            "+c=IN IP4 203.0.113.5",
            "+a=rtcp:53020 IN IP4 203.0.113.5",
        ]
    );
    let mut sdp = parsed("v=0\r\ns=-\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n");
    sdp.set_address("2001:db8::1".parse().expect("address"), false).expect("safe");
    assert!(sdp.is_session_held());
    let mut sdp = parsed("v=0\r\ns=-\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\n");
    sdp.set_address("2001:db8::1".parse().expect("address"), false).expect("safe");
    assert_eq!(text(&sdp), "v=0\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\nm=audio 1 RTP/AVP 0\r\n");
    sdp.media_mut()[0].set_address([192, 0, 2, 1].into()).expect("safe");
    assert!(text(&sdp).ends_with("m=audio 1 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\n"));
}

#[test]
fn nothing_of_the_origin_and_no_unlisted_line_is_left_behind_a_hiding_border() {
    let before = "v=0\r\no=secret1 77 78 IN IP4 secret2\r\ns=secret3\r\ni=secret4\r\nu=http://secret5\r\ne=secret6\r\np=+1 secret7\r\n\
                  c=IN IP4 192.0.2.1\r\nt=0 0\r\nk=clear:secret8\r\na=tool:secret9\r\na=X-secret10\r\nsecret11\r\n\
                  m=audio 4000 RTP/AVP 0\r\ni=secret12\r\na=ptime:20\r\na=x-nat:secret13\r\na=label:7\r\n";
    let mut sdp = parsed(before);
    sdp.hide_origin("siphon", 5, 6, [198, 51, 100, 1].into()).expect("safe");
    assert_eq!(sdp.strip_unlisted(&["label"]), 10);
    let after = "v=0\r\no=siphon 5 6 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                 m=audio 4000 RTP/AVP 0\r\na=ptime:20\r\na=label:7\r\n";
    assert_eq!(text(&sdp), after);
    let mut sdp = parsed("v=0\r\nt=0 0\r\na=x-mine\r\na=tool:t\r\n");
    assert_eq!(sdp.strip_unlisted(&["x-mine"]), 1);
    sdp.hide_origin("-", 1, 1, "2001:db8::1".parse().expect("address")).expect("safe");
    assert_eq!(text(&sdp), "v=0\r\no=- 1 1 IN IP6 2001:db8::1\r\ns=-\r\nt=0 0\r\na=x-mine\r\n");
}

#[test]
fn the_pass_table_names_each_attribute_once() {
    for (n, row) in PASSED_ATTRIBUTES.iter().enumerate() {
        assert!(PASSED_ATTRIBUTES.iter().skip(n + 1).all(|other| other.name != row.name), "{}", row.name);
        assert!(!row.purpose.is_empty() && !row.source.is_empty());
    }
    for secret in ["tool", "cat", "keywds", "type", "sdplang", "userid", "cname"] {
        assert!(PASSED_ATTRIBUTES.iter().all(|row| row.name != secret), "{secret}");
    }
}

#[test]
fn the_page_about_descriptions_has_the_pass_table() {
    let page = include_str!("../../../../docs/reference/sdp.md");
    let rows: Vec<_> = page.lines().skip_while(|l| !l.starts_with("| Attribute | For")).skip(2).collect();
    let table = PASSED_ATTRIBUTES.iter().map(|r| format!("| `{}` | {} | {} |", r.name, r.purpose, r.source));
    assert_eq!(rows, table.collect::<Vec<_>>());
    for letter in "abcdefghijklmnopqrstuvwxyz".bytes() {
        let row = |l: &&str| l.starts_with("| `") && l.contains(&format!("`{}=`", char::from(letter)));
        let line =
            page.lines().skip_while(|l| !l.starts_with("| Line | Passes")).find(row).unwrap_or("| no |");
        assert_eq!(PASSED_LINES.contains(&letter), !line.ends_with("| no |"), "{line}");
    }
}
