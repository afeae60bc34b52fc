//! Codecs of a section: payload types with what `a=rtpmap` and `a=fmtp` say of them (RFC 8866 6.6, 6.15), or RFC 3551
//! for the static ones.

use super::media::Media;

/// A payload type and what it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec<'a> {
    /// 0 to 127.
    pub payload_type: u8,
    /// The encoding name as written, such as `opus`; empty when nothing says it.
    pub name: &'a str,
    /// In Hz; 0 when nothing says it.
    pub clock_rate: u32,
    /// Of audio, where it is stated.
    pub channels: Option<u16>,
    /// Format parameters, as written.
    pub fmtp: Option<&'a str>,
}

/// Static payload types (RFC 3551 6, tables 4 and 5).
const STATIC: &[(u8, &str, u32, Option<u16>)] = &[
    (0, "PCMU", 8000, Some(1)),
    (3, "GSM", 8000, Some(1)),
    (4, "G723", 8000, Some(1)),
    (5, "DVI4", 8000, Some(1)),
    (6, "DVI4", 16_000, Some(1)),
    (7, "LPC", 8000, Some(1)),
    (8, "PCMA", 8000, Some(1)),
    // 16 kHz on the line, 8000 in RTP: a mistake of RFC 1890 that stays (RFC 3551 4.5.2).
    (9, "G722", 8000, Some(1)),
    (10, "L16", 44_100, Some(2)),
    (11, "L16", 44_100, Some(1)),
    (12, "QCELP", 8000, Some(1)),
    (13, "CN", 8000, Some(1)),
    (14, "MPA", 90_000, None),
    (15, "G728", 8000, Some(1)),
    (16, "DVI4", 11_025, Some(1)),
    (17, "DVI4", 22_050, Some(1)),
    (18, "G729", 8000, Some(1)),
    (25, "CelB", 90_000, None),
    (26, "JPEG", 90_000, None),
    (28, "nv", 90_000, None),
    (31, "H261", 90_000, None),
    (32, "MPV", 90_000, None),
    (33, "MP2T", 90_000, None),
    (34, "H263", 90_000, None),
];

impl Codec<'_> {
    /// Whether `pattern` means this codec: an encoding name in any case, or a name with clock rate and channels as
    /// `a=rtpmap` has them, such as `telephone-event/16000`.
    pub fn is(&self, pattern: &str) -> bool {
        let mut parts = pattern.trim_ascii().split('/');
        let name = parts.next().unwrap_or_default();
        let clock = parts.next().is_none_or(|c| c.trim().parse() == Ok(self.clock_rate));
        let channels = parts.next().is_none_or(|c| c.trim().parse() == Ok(self.channels.unwrap_or(1)));
        !name.is_empty() && self.name.eq_ignore_ascii_case(name) && clock && channels
    }

    /// Whether both are the same codec, whatever the payload types; without a name the payload type decides.
    pub fn same_as(&self, other: &Codec<'_>) -> bool {
        if self.name.is_empty() || other.name.is_empty() {
            return self.payload_type == other.payload_type;
        }
        self.name.eq_ignore_ascii_case(other.name)
            && self.clock_rate == other.clock_rate
            && self.channels.unwrap_or(1) == other.channels.unwrap_or(1)
    }

    /// Whether it carries no medium of its own but serves other codecs of the section: DTMF and tones (RFC 4733),
    /// comfort noise (RFC 3389), redundancy (RFC 2198, 5109, 8627), retransmission (RFC 4588).
    pub fn is_auxiliary(&self) -> bool {
        const NAMES: [&str; 9] =
            ["telephone-event", "tone", "CN", "red", "rtx", "ulpfec", "parityfec", "flexfec", "flexfec-03"];
        NAMES.iter().any(|n| self.name.eq_ignore_ascii_case(n))
    }
}

/// The payload type that a format, or the first word of an attribute's value, names; and what follows it.
pub(super) fn payload_type(text: &str) -> Option<(u8, &str)> {
    let text = text.trim_ascii_start();
    let (number, rest) = text.split_at(text.find([' ', '\t']).unwrap_or(text.len()));
    let number = number.trim_ascii_end();
    let digits = !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
    let number = number.parse().ok().filter(|n| digits && *n < 128)?;
    Some((number, rest.trim_ascii()))
}

impl Media {
    /// The codecs in order of preference; empty unless the formats are RTP payload types. The first `a=rtpmap` and
    /// `a=fmtp` of a payload type count.
    pub fn codecs(&self) -> Vec<Codec<'_>> {
        if !self.is_rtp() {
            return Vec::new();
        }
        let mut maps: [Option<&str>; 128] = [None; 128];
        let mut parameters: [Option<&str>; 128] = [None; 128];
        for attribute in self.attributes() {
            let known = match attribute.name {
                "rtpmap" => &mut maps,
                "fmtp" => &mut parameters,
                _ => continue,
            };
            if let Some((number, rest)) = attribute.value.and_then(payload_type)
                && let Some(slot) = known.get_mut(usize::from(number))
            {
                slot.get_or_insert(rest);
            }
        }
        self.formats()
            .filter_map(|format| payload_type(format).map(|(number, _)| number))
            .map(|number| {
                let slot = usize::from(number);
                codec(number, maps.get(slot).copied().flatten(), parameters.get(slot).copied().flatten())
            })
            .collect()
    }
}

fn codec<'a>(payload_type: u8, map: Option<&'a str>, fmtp: Option<&'a str>) -> Codec<'a> {
    if let Some(map) = map {
        let mut parts = map.split('/').map(str::trim_ascii);
        let name = parts.next().unwrap_or_default();
        let clock_rate = parts.next().and_then(|c| c.parse().ok()).unwrap_or_default();
        let channels = parts.next().and_then(|c| c.parse().ok());
        return Codec { payload_type, name, clock_rate, channels, fmtp };
    }
    let known = STATIC.iter().find(|(number, ..)| *number == payload_type);
    let (_, name, clock_rate, channels) = known.copied().unwrap_or((payload_type, "", 0, None));
    Codec { payload_type, name, clock_rate, channels, fmtp }
}
