//! Answering challenges (RFC 3261 22.2, 22.3, RFC 7616 3.4, RFC 8760 2.5): for UACs of our own.
//!
//! A challenge is answered only for a realm that credentials are configured for: whoever else challenges learns
//! nothing about our passwords.

use super::algorithm::Algorithm;
use super::credentials::{Credentials, UserSecret};
use super::response::{Qop, Signed};
use super::server::Kind;
use crate::base::text::Text;
use crate::policy::Header;
use crate::wire::sip::{AuthParams, Message, quote};

/// A user's login in one realm.
#[derive(Clone, Debug)]
pub struct Login {
    /// The realm it is for, compared exactly.
    pub realm: Text,
    /// User name.
    pub user: Text,
    /// Password or HA1.
    pub secret: UserSecret,
}

/// What is to be signed.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Method.
    pub method: &'a str,
    /// Request-URI.
    pub uri: &'a str,
    /// Body.
    pub body: &'a [u8],
}

/// A challenge that can be answered, and answered again with higher nonce counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The realm.
    pub realm: Text,
    /// Our last answer was right but for its nonce.
    pub stale: bool,
    nonce: Text,
    opaque: Option<Text>,
    algorithm: Algorithm,
    session: bool,
    qop: Qop,
}

/// Why no credentials were made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unanswerable {
    /// The response holds no challenge.
    #[error("no challenge in the response")]
    NoChallenge,
    /// Every challenge is in a scheme, algorithm or qop that is not spoken here.
    #[error("no challenge in a known scheme, algorithm and qop")]
    Unknown,
    /// There is no login for the realm of any challenge.
    #[error("no login for the realm of the challenge")]
    NoLogin,
}

impl Challenge {
    /// Reads one challenge. `None` when it is in terms that are not spoken here.
    pub fn read(params: &AuthParams<'_>) -> Option<Self> {
        if !params.is_digest() {
            return None;
        }
        let (algorithm, session) = match params.get("algorithm") {
            Some(token) => Algorithm::from_token(&token)?,
            None => (Algorithm::Md5, false),
        };
        let qop = match params.get("qop").filter(|list| !list.trim().is_empty()) {
            None => Qop::None,
            Some(list) => {
                let known: Vec<Qop> = list.split(',').filter_map(Qop::from_token).collect();
                *known.iter().find(|q| **q == Qop::Auth).or_else(|| known.first())?
            }
        };
        Some(Challenge {
            realm: params.get("realm")?.as_ref().into(),
            stale: params.get("stale").is_some_and(|v| v.eq_ignore_ascii_case("true")),
            nonce: params.get("nonce")?.as_ref().into(),
            opaque: params.get("opaque").map(|o| o.as_ref().into()),
            algorithm,
            session,
            qop,
        })
    }

    /// The value of the credentials header field. `cnonce` is fresh randomness in token characters; `count` is 1
    /// for the first use of the nonce and one more each time. `None` when the login has no secret for the
    /// algorithm.
    pub fn answer(&self, login: &Login, request: &Request<'_>, cnonce: &str, count: u32) -> Option<String> {
        let nc = format!("{count:08x}");
        let signed = Signed {
            algorithm: self.algorithm,
            session: self.session,
            nonce: &self.nonce,
            nc: &nc,
            cnonce,
            qop: self.qop,
            method: request.method,
            uri: request.uri,
            body: request.body,
        };
        let response = signed.response(&login.secret.ha1(&login.user, &self.realm, self.algorithm)?);
        let suffix = if self.session { "-sess" } else { "" };
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{}\", algorithm={}{suffix}",
            quote(&login.user),
            quote(&self.realm),
            quote(&self.nonce),
            quote(request.uri),
            response.as_str(),
            self.algorithm.token(),
        );
        if self.qop != Qop::None {
            value.push_str(&format!(", qop={}, nc={nc}", self.qop.token()));
        }
        if self.qop != Qop::None || self.session {
            value.push_str(&format!(", cnonce={}", quote(cnonce)));
        }
        if let Some(opaque) = &self.opaque {
            value.push_str(&format!(", opaque={}", quote(opaque)));
        }
        Some(value)
    }
}

/// The challenges of a 401 or 407, with the side each came from: per realm the topmost that is spoken here and for
/// which there is a usable secret (RFC 8760 2.5: the order is the server's preference).
pub fn challenges(response: &Message, logins: &[Login]) -> Result<Vec<(Kind, Challenge)>, Unanswerable> {
    let mut chosen: Vec<(Kind, Challenge)> = Vec::new();
    let (mut seen, mut spoken) = (false, false);
    for kind in [Kind::Www, Kind::Proxy] {
        for value in response.values(kind.challenge_header()) {
            seen = true;
            let Some(challenge) = AuthParams::parse(&value).ok().and_then(|p| Challenge::read(&p)) else {
                continue;
            };
            spoken = true;
            let taken = chosen.iter().any(|(k, c)| *k == kind && c.realm == challenge.realm);
            if !taken && login_for(logins, &challenge).is_some() {
                chosen.push((kind, challenge));
            }
        }
    }
    match (chosen.is_empty(), seen, spoken) {
        (false, ..) => Ok(chosen),
        (true, false, _) => Err(Unanswerable::NoChallenge),
        (true, true, false) => Err(Unanswerable::Unknown),
        (true, true, true) => Err(Unanswerable::NoLogin),
    }
}

/// The header fields that answer the challenges of a 401 or 407, each nonce used for the first time.
pub fn answer(
    response: &Message,
    logins: &[Login],
    request: &Request<'_>,
    cnonce: &str,
) -> Result<Vec<Header>, Unanswerable> {
    let mut headers = Vec::new();
    for (kind, challenge) in challenges(response, logins)? {
        let login = login_for(logins, &challenge).ok_or(Unanswerable::NoLogin)?;
        let value = challenge.answer(login, request, cnonce, 1).ok_or(Unanswerable::NoLogin)?;
        headers.push((kind.credentials_header().name().into(), value.into()));
    }
    Ok(headers)
}

/// The same with one name and secret for whatever realm challenges: for requests that go to one known peer. `sent` are the
/// credentials the request bore already; a challenge that they did not meet is not answered again, unless only their
/// nonce was stale.
pub fn answer_peer(
    response: &Message,
    login: &Login,
    request: &Request<'_>,
    cnonce: &str,
    sent: &[Header],
) -> Option<Vec<Header>> {
    let realms = [Kind::Www, Kind::Proxy].into_iter().flat_map(|kind| {
        response.values(kind.challenge_header()).filter_map(|value| {
            let params = AuthParams::parse(&value).ok()?;
            Some(Text::from(params.get("realm")?.as_ref()))
        })
    });
    let logins: Vec<Login> = realms.map(|realm| Login { realm, ..login.clone() }).collect();
    let refused = challenges(response, &logins).ok()?.iter().any(|(kind, challenge)| {
        let name = kind.credentials_header().name();
        !challenge.stale && sent.iter().any(|(n, _)| n.eq_ignore_ascii_case(name))
    });
    if refused { None } else { answer(response, &logins, request, cnonce).ok() }
}

/// The login for a challenge.
pub fn login_for<'a>(logins: &'a [Login], challenge: &Challenge) -> Option<&'a Login> {
    logins.iter().find(|l| l.realm == challenge.realm && l.secret.supports(challenge.algorithm))
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
