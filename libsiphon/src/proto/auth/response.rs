//! The arithmetic of Digest (RFC 7616 3.4.1 to 3.4.3; RFC 2069 2.1.2 without `qop`).

use super::algorithm::{Algorithm, HexDigest};

/// Quality of protection (RFC 7616 3.4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Qop {
    /// RFC 2069: no `qop`, no nonce count, no client nonce.
    None,
    /// `auth`.
    Auth,
    /// `auth-int`: covers the body.
    AuthInt,
}

impl Qop {
    /// The token on the wire; empty for [`Qop::None`].
    pub const fn token(self) -> &'static str {
        match self {
            Qop::None => "",
            Qop::Auth => "auth",
            Qop::AuthInt => "auth-int",
        }
    }

    /// Reads a token in any case.
    pub fn from_token(token: &str) -> Option<Self> {
        [Qop::Auth, Qop::AuthInt].into_iter().find(|q| q.token().eq_ignore_ascii_case(token.trim()))
    }
}

/// What is signed besides the password.
#[derive(Clone, Copy, Debug)]
pub struct Signed<'a> {
    /// The hash.
    pub algorithm: Algorithm,
    /// The `-sess` variant.
    pub session: bool,
    /// The nonce as on the wire.
    pub nonce: &'a str,
    /// The nonce count as on the wire: eight hexadecimal digits.
    pub nc: &'a str,
    /// The client's nonce.
    pub cnonce: &'a str,
    /// Quality of protection.
    pub qop: Qop,
    /// Method of the request.
    pub method: &'a str,
    /// The `uri` parameter.
    pub uri: &'a str,
    /// The body, which `auth-int` covers.
    pub body: &'a [u8],
}

impl Signed<'_> {
    /// The `response` parameter for a given HA1.
    pub fn response(&self, ha1: &HexDigest) -> HexDigest {
        let hash = |parts: &[&[u8]]| self.algorithm.hash(parts);
        let (nonce, cnonce) = (self.nonce.as_bytes(), self.cnonce.as_bytes());
        let session = self.session.then(|| hash(&[ha1.as_bytes(), nonce, cnonce]));
        let ha1 = session.as_ref().unwrap_or(ha1).as_bytes();
        let (method, uri) = (self.method.as_bytes(), self.uri.as_bytes());
        let ha2 = match self.qop {
            Qop::AuthInt => hash(&[method, uri, hash(&[self.body]).as_bytes()]),
            Qop::Auth | Qop::None => hash(&[method, uri]),
        };
        match self.qop {
            Qop::None => hash(&[ha1, nonce, ha2.as_bytes()]),
            qop => hash(&[ha1, nonce, self.nc.as_bytes(), cnonce, qop.token().as_bytes(), ha2.as_bytes()]),
        }
    }
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
