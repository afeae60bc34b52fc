//! Which codecs a description offers, and in what order: filters by encoding name.
//!
//! What goes takes its lines along. A section that loses its last codec is rejected (RFC 3264 6). Formats that serve
//! other codecs follow them, see [`Media::remove_codecs`]. Sections that are not RTP, or are rejected, stay as they
//! are.

use super::codecs::{Codec, payload_type};
use super::errors::Unwritable;
use super::media::Media;
use super::session::Sdp;

/// Attributes whose value begins with the format they are about (RFC 8866 6.6, 6.15, RFC 4585 4.2, RFC 6236 3,
/// TS 26.234).
const ABOUT_A_FORMAT: &[&str] = &["rtpmap", "fmtp", "rtcp-fb", "imageattr", "framesize"];

impl Sdp {
    /// Keeps these codecs in every RTP section and removes the others; see [`Media::filter_codecs`].
    pub fn filter_codecs<S: AsRef<str>>(&mut self, keep: &[S]) -> Result<(), Unwritable> {
        self.media.iter_mut().try_for_each(|m| m.filter_codecs(keep))?;
        self.ungroup_rejected()
    }

    /// Removes these codecs from every RTP section; see [`Media::remove_codecs`].
    pub fn remove_codecs<S: AsRef<str>>(&mut self, remove: &[S]) -> Result<(), Unwritable> {
        self.media.iter_mut().try_for_each(|m| m.remove_codecs(remove))?;
        self.ungroup_rejected()
    }

    /// Puts these codecs first in every RTP section; see [`Media::reorder_codecs`].
    pub fn reorder_codecs<S: AsRef<str>>(&mut self, preference: &[S]) -> Result<(), Unwritable> {
        self.media.iter_mut().try_for_each(|m| m.reorder_codecs(preference))
    }
}

impl Media {
    /// Keeps the codecs that a name of `keep` means ([`Codec::is`]). The list is complete: `telephone-event`, `CN`,
    /// `rtx` and the like stay when they are named and what they serve stays, as [`Media::remove_codecs`] has it.
    pub fn filter_codecs<S: AsRef<str>>(&mut self, keep: &[S]) -> Result<(), Unwritable> {
        self.keep(|codec| keep.iter().any(|name| codec.is(name.as_ref())))
    }

    /// Removes the codecs that a name of `remove` means ([`Codec::is`]), and what served only them:
    ///
    /// - `telephone-event`, `tone` and `CN` go when the last codec of their clock rate goes,
    /// - `rtx` goes with the payload type its `apt` names, `red` with any that its parameters name,
    /// - all of these go when no other codec is left, and the section is rejected.
    pub fn remove_codecs<S: AsRef<str>>(&mut self, remove: &[S]) -> Result<(), Unwritable> {
        self.keep(|codec| !remove.iter().any(|name| codec.is(name.as_ref())))
    }

    /// Puts the codecs of `preference` first, in its order; the others follow in theirs. Payload types of one name
    /// keep their order.
    pub fn reorder_codecs<S: AsRef<str>>(&mut self, preference: &[S]) -> Result<(), Unwritable> {
        if !self.is_rtp() || self.is_rejected() {
            return Ok(());
        }
        let codecs = self.codecs();
        let rank = |format: &str| {
            let codec = payload_type(format).and_then(|(n, _)| codecs.iter().find(|c| c.payload_type == n));
            codec.and_then(|c| preference.iter().position(|p| c.is(p.as_ref()))).unwrap_or(usize::MAX)
        };
        let mut ranked: Vec<(usize, String)> = self.formats().map(|f| (rank(f), f.to_owned())).collect();
        if ranked.is_sorted_by_key(|(rank, _)| *rank) {
            return Ok(());
        }
        ranked.sort_by_key(|(rank, _)| *rank);
        self.set_formats(ranked.iter().map(|(_, format)| format.as_str()))
    }

    fn keep(&mut self, wanted: impl Fn(&Codec<'_>) -> bool) -> Result<(), Unwritable> {
        if !self.is_rtp() || self.is_rejected() {
            return Ok(());
        }
        let codecs = self.codecs();
        let mut kept: Vec<bool> = codecs.iter().map(wanted).collect();
        if kept.iter().all(|k| *k) {
            return Ok(());
        }
        settle(&codecs, &mut kept);
        let of_codecs = |stay: bool| {
            codecs.iter().zip(&kept).filter(move |(_, k)| **k == stay).map(|(c, _)| c.payload_type).collect()
        };
        let (stay, gone): (Vec<u8>, Vec<u8>) = (of_codecs(true), of_codecs(false));
        if stay.is_empty() {
            return self.reject();
        }
        let goes =
            |format: &str| payload_type(format).is_some_and(|(n, _)| gone.contains(&n) && !stay.contains(&n));
        let formats: Vec<String> = self.formats().filter(|f| !goes(f)).map(str::to_owned).collect();
        self.remove_format_lines(goes);
        self.set_formats(formats.iter().map(String::as_str))
    }

    /// Removes the lines about formats that `goes` names.
    pub(super) fn remove_format_lines(&mut self, goes: impl Fn(&str) -> bool) {
        self.section.retain(|line| {
            let Some((b'a', text)) = line else { return true };
            let Some((name, value)) = text.split_once(':') else { return true };
            let about = value.split_ascii_whitespace().next().unwrap_or_default();
            !(ABOUT_A_FORMAT.contains(&name.trim()) && goes(about))
        });
    }
}

/// Lets go what served only codecs that go.
fn settle(codecs: &[Codec<'_>], kept: &mut [bool]) {
    let served = |kept: &[bool], test: &dyn Fn(&Codec<'_>) -> bool| {
        codecs.iter().zip(kept).any(|(c, k)| *k && !c.is_auxiliary() && test(c))
    };
    let all = vec![true; codecs.len()];
    if served(&all, &|_| true) && !served(kept, &|_| true) {
        kept.fill(false);
        return;
    }
    for (index, codec) in codecs.iter().enumerate() {
        let name = |n: &str| codec.name.eq_ignore_ascii_case(n);
        let same_clock = |c: &Codec<'_>| c.clock_rate == codec.clock_rate;
        let is_gone = |number: &str| {
            let number = number.trim().parse::<u8>().ok();
            codecs.iter().zip(&*kept).any(|(c, k)| !k && Some(c.payload_type) == number)
        };
        let goes = if name("telephone-event") || name("tone") || name("CN") {
            served(&all, &same_clock) && !served(kept, &same_clock)
        } else if name("rtx") {
            let mut parameters = codec.fmtp.unwrap_or_default().split(';');
            parameters
                .any(|p| p.trim().split_once('=').is_some_and(|(n, apt)| n.trim() == "apt" && is_gone(apt)))
        } else if name("red") {
            codec.fmtp.unwrap_or_default().split('/').any(is_gone)
        } else {
            false
        };
        if let Some(kept) = kept.get_mut(index).filter(|_| goes) {
            *kept = false;
        }
    }
}
