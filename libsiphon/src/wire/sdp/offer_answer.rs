//! What an answer must be like for its offer, and when sess-version rises (RFC 3264 6, 8).

use super::codecs::Codec;
use super::direction::Direction;
use super::media::Media;
use super::session::Sdp;

/// What is wrong with an answer. Sections count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AnswerFault {
    /// Not one section for each of the offer (RFC 3264 6).
    #[error("the answer has {answered} media sections for {offered} of the offer")]
    SectionCount {
        /// Sections of the offer.
        offered: usize,
        /// Sections of the answer.
        answered: usize,
    },
    /// A section of another kind than the offer's in that place (RFC 3264 6).
    #[error("media section {section} of the answer is of another kind than the offer's")]
    Kind {
        /// Which section.
        section: usize,
    },
    /// A section that the offer has with port 0 and the answer without (RFC 3264 6).
    #[error("media section {section} is rejected in the offer and accepted in the answer")]
    Revived {
        /// Which section.
        section: usize,
    },
    /// An accepted section without a format of the offer (RFC 3264 6.1).
    #[error("media section {section} of the answer has no format of the offer")]
    NoCommonFormat {
        /// Which section.
        section: usize,
    },
    /// A direction that the offered one does not allow (RFC 3264 6.1).
    #[error("media section {section} is {answered} in the answer to {offered}", offered = offered.name(), answered = answered.name())]
    Direction {
        /// Which section.
        section: usize,
        /// The offer's direction.
        offered: Direction,
        /// The answer's.
        answered: Direction,
    },
}

/// Whether `answer` may answer `offer` (RFC 3264 6): one section for each, of the same kind; none that was rejected
/// comes back; each accepted one has a format of the offer and a direction that fits.
///
/// Codecs are compared by name, clock rate and channels, since an answer may use other payload types (RFC 3264 6.1).
/// The transport protocol is not compared: answers that drop `F` from `RTP/AVPF` are common. A fault of direction is
/// common too, and the last that is looked for in a section: phones answer `sendrecv` to a hold.
pub fn check_answer(offer: &Sdp, answer: &Sdp) -> Result<(), AnswerFault> {
    let (offered, answered) = (offer.media().len(), answer.media().len());
    if offered != answered {
        return Err(AnswerFault::SectionCount { offered, answered });
    }
    for (section, (asked, given)) in offer.media().iter().zip(answer.media()).enumerate() {
        if !asked.kind().eq_ignore_ascii_case(given.kind()) {
            return Err(AnswerFault::Kind { section });
        }
        if given.is_rejected() {
            continue;
        }
        if asked.is_rejected() {
            return Err(AnswerFault::Revived { section });
        }
        if !has_common_format(asked, given) {
            return Err(AnswerFault::NoCommonFormat { section });
        }
        let (offered, answered) = (offer.direction_of(asked), answer.direction_of(given));
        if !answered.may_answer(offered) {
            return Err(AnswerFault::Direction { section, offered, answered });
        }
    }
    Ok(())
}

fn has_common_format(asked: &Media, given: &Media) -> bool {
    if asked.is_rtp() && given.is_rtp() {
        let offered = asked.codecs();
        let common = |c: &Codec<'_>| offered.iter().any(|o| o.same_as(c));
        return given.codecs().iter().any(common);
    }
    // MSRP and data channels have the same format on both sides; a section without any is left to the endpoints.
    given.formats().next().is_none()
        || given.formats().any(|f| asked.formats().any(|o| o.eq_ignore_ascii_case(f)))
}

/// The sess-version for `new`, sent after `previous` in the same session (RFC 3264 8): one more than that of
/// `previous` when anything but the `o=` line differs, else the same. A version that is no 64-bit number counts as 0.
pub fn next_version(previous: &Sdp, new: &Sdp) -> u64 {
    let version = previous.origin().and_then(|o| o.version()).unwrap_or_default();
    let same = lines(previous).eq(lines(new));
    if same { version } else { version.wrapping_add(1) }
}

fn lines(sdp: &Sdp) -> impl Iterator<Item = &[u8]> {
    sdp.session.octets_but(b'o').chain(sdp.media.iter().flat_map(|m| m.section.octets_but(b'o')))
}
