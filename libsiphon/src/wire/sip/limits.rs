//! How much of a message is accepted.

/// Limits on one message. Each has a documented answer in [`Malformed`](super::Malformed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest message in octets; beyond it 513. Default 65535, the most a datagram can carry.
    pub message: usize,
    /// Longest start line and header section in octets, the empty line included; beyond it 513.
    /// Default 32 KiB; values above 65535 act as 65535.
    pub header_section: usize,
    /// Most header fields; beyond it 513. Default 256.
    pub headers: usize,
    /// Longest Request-URI in octets; beyond it 414. Default 4096.
    pub uri: usize,
    /// Longest body in octets; beyond it 413. Default 64 KiB.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { message: 65_535, header_section: 32 * 1024, headers: 256, uri: 4096, body: 64 * 1024 }
    }
}
