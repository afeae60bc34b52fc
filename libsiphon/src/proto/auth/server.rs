//! Challenging and checking (RFC 3261 22.1 to 22.4, RFC 7616 3.3 and 3.4, RFC 8760 2.3 and 2.4).
//!
//! Nothing is kept for a challenge; a successful use of a nonce leaves a replay window. A wrong password, an
//! unknown user and a user without a usable secret get the same answer for the same work.

use super::algorithm::Algorithm;
use super::credentials::Credentials;
use super::nonce::Nonces;
use super::response::{Qop, Signed};
use super::window::{Use, Windows};
use crate::base::text::{Text, parse_hex};
use crate::base::time::{Duration, Instant};
use crate::base::token::Secret;
use crate::policy::ReplySpec;
use crate::wire::sip::{AuthParams, HeaderId, Message, Uri, quote, unescape};
use std::borrow::Cow;

/// Who challenges (RFC 3261 22.2, 22.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A UAS or registrar: 401, WWW-Authenticate, Authorization.
    Www,
    /// A proxy: 407, Proxy-Authenticate, Proxy-Authorization.
    Proxy,
}

impl Kind {
    /// The status code of a challenge.
    pub const fn status(self) -> u16 {
        match self {
            Kind::Www => 401,
            Kind::Proxy => 407,
        }
    }

    /// The header field of a challenge.
    pub const fn challenge_header(self) -> HeaderId {
        match self {
            Kind::Www => HeaderId::WwwAuthenticate,
            Kind::Proxy => HeaderId::ProxyAuthenticate,
        }
    }

    /// The header field of credentials.
    pub const fn credentials_header(self) -> HeaderId {
        match self {
            Kind::Www => HeaderId::Authorization,
            Kind::Proxy => HeaderId::ProxyAuthorization,
        }
    }
}

/// How closely the `uri` parameter must name the Request-URI.
///
/// RFC 7616 3.4.6 compares them and lets proxies have changed the Request-URI on the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UriCheck {
    /// Equivalent by RFC 3261 19.1.4.
    Strict,
    /// The same host, and the same user where both have one; scheme (sip or sips), port and parameters may differ.
    #[default]
    Lenient,
    /// Not looked at: for edges behind proxies that retarget before we challenge.
    Off,
}

/// Settings of digest authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestSettings {
    /// Algorithms that are accepted, and offered where the user table supports them, strongest first. Default MD5
    /// alone: a phone from before RFC 8760 answers the topmost challenge or none.
    pub algorithms: Vec<Algorithm>,
    /// Offer `auth-int` beside `auth`. It is accepted in any case. Default off: phones that read a list of one
    /// value only are still met.
    pub offer_auth_int: bool,
    /// Accept credentials without `qop` (RFC 2069). They can be replayed while the nonce lives. Default off.
    pub allow_no_qop: bool,
    /// How long a nonce is accepted. Default 5 minutes.
    pub nonce_lifetime: Duration,
    /// Nonces with a replay window at a time; beyond it the oldest become stale. Default 200,000.
    pub max_nonces: usize,
    /// See [`UriCheck`].
    pub uri_check: UriCheck,
}

impl Default for DigestSettings {
    fn default() -> Self {
        DigestSettings {
            algorithms: vec![Algorithm::Md5],
            offer_auth_int: false,
            allow_no_qop: false,
            nonce_lifetime: Duration::from_secs(300),
            max_nonces: 200_000,
            uri_check: UriCheck::default(),
        }
    }
}

/// What became of a request's credentials.
#[derive(Clone, Debug)]
pub enum AuthOutcome {
    /// They are good.
    Ok {
        /// The user as presented.
        user: Text,
    },
    /// They are missing, wrong or out of date: a 401 or 407 with challenges.
    Challenge {
        /// The response.
        reply: ReplySpec,
        /// The password was right, the nonce was not (RFC 7616 3.3): the phone need not ask its user.
        stale: bool,
    },
    /// They cannot be read, or contradict the request: a 400.
    Bad(ReplySpec),
}

/// What [`Authenticator::verify`] found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verified {
    /// Good credentials of this user.
    User(Text),
    /// No credentials for this realm, or wrong ones.
    Refused,
    /// Right password, nonce too old, replayed, or not ours.
    Stale,
    /// Unreadable, or for another Request-URI; the text can stand as a reason phrase.
    Malformed(&'static str),
}

/// Checks digest credentials for the shards of a node.
#[derive(Debug)]
pub struct Authenticator {
    settings: DigestSettings,
    nonces: Nonces,
    windows: Windows,
    trusting: bool,
}

impl Authenticator {
    /// An authenticator whose nonces are made under `secret`.
    pub fn new(settings: DigestSettings, secret: Secret) -> Self {
        let nonces = Nonces::new(secret, settings.nonce_lifetime);
        let windows = Windows::new(settings.max_nonces);
        Authenticator { settings, nonces, windows, trusting: false }
    }

    /// From now on whoever sends credentials for the realm is taken at their word. For the replay of a recorded trace,
    /// whose nonces another node made: nothing that serves anybody may call this.
    pub fn trust_everybody(&mut self) {
        self.trusting = true;
    }

    /// The algorithms it offers, strongest first.
    pub fn algorithms(&self) -> &[Algorithm] {
        &self.settings.algorithms
    }

    /// Its nonces.
    pub fn nonces(&self) -> &Nonces {
        &self.nonces
    }

    /// How many nonces have a replay window now.
    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Checks a request and, unless it is good, makes the response to send.
    pub fn check(
        &self,
        users: &dyn Credentials,
        request: &Message,
        realm: &str,
        kind: Kind,
        now: Instant,
    ) -> AuthOutcome {
        let stale = match self.verify(users, request, realm, kind, now) {
            Verified::User(user) => return AuthOutcome::Ok { user },
            Verified::Malformed(reason) => {
                return AuthOutcome::Bad(ReplySpec { reason: Some(reason.into()), ..ReplySpec::code(400) });
            }
            Verified::Stale => true,
            Verified::Refused => false,
        };
        AuthOutcome::Challenge { reply: self.challenge(users, realm, kind, stale, now), stale }
    }

    /// A 401 or 407 with one challenge per algorithm, the strongest on top (RFC 8760 2.4).
    pub fn challenge(
        &self,
        users: &dyn Credentials,
        realm: &str,
        kind: Kind,
        stale: bool,
        now: Instant,
    ) -> ReplySpec {
        let mut reply = ReplySpec::code(kind.status());
        let qop = if self.settings.offer_auth_int { "auth,auth-int" } else { "auth" };
        let stale = if stale { ", stale=true" } else { "" };
        let realm_text = quote(realm);
        let usable = |a: &Algorithm| self.settings.algorithms.contains(a) && users.supports(*a);
        for algorithm in Algorithm::ALL.into_iter().filter(usable) {
            let nonce = self.nonces.issue(realm, now);
            let token = algorithm.token();
            let value = format!(
                "Digest realm={realm_text}, nonce=\"{nonce}\", algorithm={token}, qop=\"{qop}\"{stale}"
            );
            reply.headers.push((kind.challenge_header().name().into(), value.into()));
        }
        reply
    }

    /// Whether this value of Authorization or Proxy-Authorization is for this node: it answers a challenge of ours with
    /// which somebody has logged in here. ACK and later requests of a dialog repeat what their INVITE proved.
    pub fn has_accepted(&self, value: &str) -> bool {
        let Ok(params) = AuthParams::parse(value) else { return false };
        let (Some(nonce), Some(realm)) = (params.get("nonce"), params.get("realm")) else { return false };
        params.is_digest()
            && self.nonces.recognise(&nonce, &realm).is_some_and(|nonce| self.windows.knows(nonce))
    }

    /// Looks at a request's credentials for `realm`. Good ones are used up: their nonce count is good once.
    pub fn verify(
        &self,
        users: &dyn Credentials,
        request: &Message,
        realm: &str,
        kind: Kind,
        now: Instant,
    ) -> Verified {
        let mut malformed = false;
        for value in request.values(kind.credentials_header()) {
            let Ok(params) = AuthParams::parse(&value) else {
                malformed = true;
                continue;
            };
            if params.is_digest() && params.get("realm").is_some_and(|r| r == realm) {
                return self
                    .verify_one(users, request, &params, realm, now)
                    .unwrap_or_else(Verified::Malformed);
            }
        }
        // Credentials for other realms are for others (RFC 3261 22.3).
        if malformed { Verified::Malformed("Bad Credentials") } else { Verified::Refused }
    }

    fn verify_one(
        &self,
        users: &dyn Credentials,
        request: &Message,
        params: &AuthParams<'_>,
        realm: &str,
        now: Instant,
    ) -> Result<Verified, &'static str> {
        let given = Given::read(params)?;
        if self.trusting {
            return Ok(Verified::User(given.user.as_ref().into()));
        }
        let Some((algorithm, session)) = Algorithm::from_token(&given.algorithm) else {
            return Ok(Verified::Refused);
        };
        if !self.settings.algorithms.contains(&algorithm) {
            return Ok(Verified::Refused);
        }
        if given.qop == Qop::None && !self.settings.allow_no_qop {
            return Ok(Verified::Refused);
        }
        if !self.uri_agrees(&given.uri, request) {
            return Err("Digest uri Is Not The Request-URI");
        }
        let signed = Signed {
            algorithm,
            session,
            nonce: &given.nonce,
            nc: &given.nc,
            cnonce: &given.cnonce,
            qop: given.qop,
            method: request.method_name(),
            uri: &given.uri,
            body: request.body(),
        };
        let ha1 = users.ha1(&given.user, realm, algorithm);
        // The same arithmetic for nobody: the comparison cannot succeed, but takes its time.
        let known = ha1.is_some();
        let ha1 = ha1.unwrap_or_else(|| algorithm.hash(&[b""]));
        let right = signed.response(&ha1).matches(given.response.as_bytes()) & known;
        let nonce = self.nonces.recognise(&given.nonce, realm).filter(|n| self.nonces.is_fresh(*n, now));
        let Some(nonce) = nonce.filter(|_| right) else {
            return Ok(if right { Verified::Stale } else { Verified::Refused });
        };
        if given.qop != Qop::None {
            let lifetime = u64::try_from(self.nonces.lifetime().as_millis()).unwrap_or(u64::MAX);
            let expired_before = now.unix_millis().saturating_sub(lifetime);
            if self.windows.admit(nonce, given.count, expired_before) == Use::Replayed {
                return Ok(Verified::Stale);
            }
        }
        Ok(Verified::User(given.user.as_ref().into()))
    }

    fn uri_agrees(&self, uri: &str, request: &Message) -> bool {
        if self.settings.uri_check == UriCheck::Off || uri == request.request_uri() {
            return true;
        }
        let (Ok(a), Ok(b)) = (Uri::parse(uri), request.uri()) else { return false };
        if a.same_as(&b) {
            return true;
        }
        let user = |u: &Uri<'_>| u.user().map(|user| unescape(user).into_owned());
        self.settings.uri_check == UriCheck::Lenient
            && a.is_sip()
            && b.is_sip()
            && a.host().eq_ignore_ascii_case(b.host())
            && (a.user().is_none() || b.user().is_none() || user(&a) == user(&b))
    }
}

/// The parameters of credentials, read and checked for form.
struct Given<'a> {
    user: Cow<'a, str>,
    nonce: Cow<'a, str>,
    uri: Cow<'a, str>,
    response: Cow<'a, str>,
    algorithm: Cow<'a, str>,
    cnonce: Cow<'a, str>,
    nc: Cow<'a, str>,
    count: u32,
    qop: Qop,
}

impl<'a> Given<'a> {
    fn read(params: &AuthParams<'a>) -> Result<Self, &'static str> {
        let required = |name, fault| params.get(name).filter(|v| !v.is_empty()).ok_or(fault);
        let user = match (params.get("username"), params.get("username*")) {
            (Some(user), None) => user,
            (None, Some(extended)) => Cow::Owned(extended_value(&extended).ok_or("Bad username*")?),
            (Some(_), Some(_)) => return Err("Both username And username*"),
            (None, None) => return Err("No username In Credentials"),
        };
        let qop = match params.get("qop").filter(|q| !q.is_empty()) {
            None => Qop::None,
            Some(token) => Qop::from_token(&token).ok_or("Unknown qop")?,
        };
        let (nc, cnonce, count) = match qop {
            Qop::None => (Cow::Borrowed(""), params.get("cnonce").unwrap_or_default(), 0),
            _ => {
                let nc = required("nc", "No nc In Credentials")?;
                let count =
                    parse_hex(nc.as_bytes()).filter(|_| nc.len() == 8).and_then(|n| u32::try_from(n).ok());
                let count = count.filter(|n| *n > 0).ok_or("Bad nc")?;
                (nc, required("cnonce", "No cnonce In Credentials")?, count)
            }
        };
        Ok(Given {
            user,
            nonce: required("nonce", "No nonce In Credentials")?,
            uri: required("uri", "No uri In Credentials")?,
            response: required("response", "No response In Credentials")?,
            // RFC 7616 3.4: MD5 when absent.
            algorithm: params.get("algorithm").unwrap_or(Cow::Borrowed("MD5")),
            cnonce,
            nc,
            count,
            qop,
        })
    }
}

/// An `ext-value` of RFC 8187 3.2.1 in UTF-8, the one charset RFC 7616 3.4.4 allows.
fn extended_value(text: &str) -> Option<String> {
    let mut pieces = text.splitn(3, '\'');
    let charset = pieces.next()?;
    let _language = pieces.next()?;
    let value = pieces.next()?;
    if !charset.eq_ignore_ascii_case("UTF-8") {
        return None;
    }
    let decoded = unescape(value);
    // A stray percent sign is left behind by an escape that was none.
    let escapes = value.matches('%').count();
    let whole = escapes == 0 || value.len() == decoded.len() + 2 * escapes;
    whole.then(|| decoded.into_owned())
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
