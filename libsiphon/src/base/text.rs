//! Small text work that every layer needs: shared strings, hexadecimal.

use std::sync::Arc;

/// Text that is kept and shared, copied to size once.
pub type Text = Arc<str>;

/// Octets that are kept and shared, copied to size once: a message as it is on the wire.
pub type Octets = Arc<[u8]>;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The lowest four bits as a lower-case hexadecimal digit.
pub const fn hex_digit(n: u64) -> u8 {
    DIGITS[(n & 0xf) as usize]
}

/// Appends `n` as exactly `digits` lower-case hexadecimal digits (the low ones).
pub fn push_hex(out: &mut Vec<u8>, n: u64, digits: u32) {
    for i in (0..digits).rev() {
        let nibble = n.checked_shr(i * 4).unwrap_or(0) & 0xf;
        out.push(DIGITS[nibble as usize]);
    }
}

/// Reads exactly `text.len()` (at most 16) hexadecimal digits of either case.
pub fn parse_hex(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 16 {
        return None;
    }
    text.iter().try_fold(0u64, |n, &c| Some(n << 4 | u64::from((c as char).to_digit(16)?)))
}
