//! Just enough reading of SIP for a load generator: status, headers by name, the number of the operation.

use memchr::{memchr, memmem};

/// One received message.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a>(pub(crate) &'a [u8]);

impl<'a> Text<'a> {
    /// The status code, or 0 for a request.
    pub(crate) fn status(self) -> u16 {
        let digits = self.0.strip_prefix(b"SIP/2.0 ").and_then(|rest| rest.get(..3));
        digits.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| d.parse().ok()).unwrap_or(0)
    }

    /// Whether it begins with these bytes.
    pub(crate) fn starts_with(self, start: &[u8]) -> bool {
        self.0.starts_with(start)
    }

    /// Header lines, without start line and body.
    pub(crate) fn headers(self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let mut rest = memchr(b'\n', self.0).map_or(&[][..], |at| &self.0[at + 1..]);
        std::iter::from_fn(move || {
            let end = memchr(b'\n', rest)?;
            let line = rest[..end].trim_ascii_end();
            rest = &rest[end + 1..];
            let colon = memchr(b':', line)?;
            Some((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()))
        })
    }

    /// The first header of that name.
    pub(crate) fn header(self, name: &str) -> &'a str {
        let mut named = self.headers().filter(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
        named.next().and_then(|(_, value)| std::str::from_utf8(value).ok()).unwrap_or_default()
    }

    /// All values of that name; comma lists taken apart.
    pub(crate) fn list(self, name: &str) -> Vec<&'a str> {
        let named = self.headers().filter(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()));
        named
            .filter_map(|(_, v)| std::str::from_utf8(v).ok())
            .flat_map(|v| v.split(','))
            .map(str::trim)
            .collect()
    }

    /// The number of the operation of run `run`, from the Call-ID.
    pub(crate) fn number(self, run: &str) -> Option<u32> {
        let at = memmem::find(self.0, b"\nCall-ID:")? + 9;
        let rest = self.0[at..].trim_ascii_start().strip_prefix(run.as_bytes())?.strip_prefix(b"-")?;
        let end = memchr(b'@', rest)?;
        std::str::from_utf8(&rest[..end]).ok()?.parse().ok()
    }
}

/// The length of the first complete message of a stream, or `None` when more bytes are needed.
pub(crate) fn framed(stream: &[u8]) -> Option<usize> {
    let head = memmem::find(stream, b"\r\n\r\n")? + 4;
    let length: usize = Text(&stream[..head]).header("Content-Length").parse().unwrap_or(0);
    (stream.len() >= head + length).then_some(head + length)
}
