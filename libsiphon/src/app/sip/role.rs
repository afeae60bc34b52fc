//! What a role with SIP says about itself beyond [`Role`]: enough to build its node on any driver.

use crate::app::role::Role;
use crate::app::sip::settings::SipBlocks;

/// A role whose engine is SIP shards.
pub trait SipRole: Role {
    /// The script of a configuration that names none.
    const SCRIPT: &'static str;

    /// The blocks its node is made of.
    fn blocks(config: &Self::Config) -> SipBlocks<'_>;
}
