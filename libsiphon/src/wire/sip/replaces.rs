//! Replaces (RFC 3891 6.1): the dialog that an INVITE takes over.

use std::fmt;

use super::error::Malformed;
use super::params::Params;
use super::scan::is_no_uri;

/// A Replaces value. The tags are named as the receiver of the INVITE sees them: `to_tag` is its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replaces {
    /// Call-ID of the dialog.
    pub call_id: String,
    /// The tag of the side that gets the INVITE.
    pub to_tag: String,
    /// The tag of the other side.
    pub from_tag: String,
    /// Only an early dialog may be replaced.
    pub early_only: bool,
}

impl Replaces {
    /// Reads a Replaces value. Both tags must be there, each once; a tag of `0` stands for none of an RFC 2543 peer.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let bad = |what| Malformed::Header("Replaces", what);
        let (call_id, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let call_id = call_id.trim();
        if call_id.is_empty() || call_id.contains([' ', '\t', ',']) || !is_one_word(call_id) {
            return Err(bad("no Call-ID"));
        }
        let params = Params::new(params);
        let tag = |name: &str| {
            let mut all = params.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
            match (all.next(), all.next()) {
                (Some((_, Some(tag))), None) if !tag.is_empty() && !tag.bytes().any(is_no_uri) => {
                    Ok(tag.to_owned())
                }
                (None, _) => Err(bad("no to-tag or from-tag")),
                _ => Err(bad("bad to-tag or from-tag")),
            }
        };
        Ok(Replaces {
            call_id: call_id.to_owned(),
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.has("early-only"),
        })
    }
}

/// Call-IDs may hold brackets and quotes, but nothing that ends a line.
fn is_one_word(text: &str) -> bool {
    !text.bytes().any(|c| c < b' ' || c == 0x7f)
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        match self.early_only {
            true => f.write_str(";early-only"),
            false => Ok(()),
        }
    }
}
