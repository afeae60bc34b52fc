//! The `auth` block: digest authentication (RFC 7616, RFC 8760, RFC 3261 22).

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

use super::secret::Secret;
use super::unit::Seconds;

/// Who may authenticate, and how they are challenged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// Realm of challenges whose script names none. Default: the first of `domain.local`, else `localhost`.
    #[schemars(length(min = 1))]
    pub realm: Option<String>,
    /// Where credentials come from.
    pub backend: Backend,
    /// Users of the `static` backend: the password, or a mapping of hashes (`ha1`, `ha1_sha256`, `ha1_sha512_256`).
    pub users: BTreeMap<String, User>,
    /// Challenges to offer, one header field each, strongest first whatever the order here (RFC 8760 2.4).
    /// Default `[MD5]`: a phone from before RFC 8760 answers the first challenge or none. Add `SHA-256` when
    /// yours know it.
    #[schemars(length(min = 1))]
    pub algorithms: Vec<Algorithm>,
    /// Protection to offer (RFC 7616 3.3); `auth` is always among it. Default `[auth]`.
    #[schemars(length(min = 1))]
    pub qop: Vec<Qop>,
    /// Key under which nonces are made. Give all nodes of a cluster the same. Default: a random one per start,
    /// so that a nonce from before a restart is answered with a fresh challenge.
    pub nonce_secret: Option<Secret>,
    /// Age at which a nonce is answered with `stale=true` and a new one. Default 300 s.
    #[schemars(extend("x-min" = "5s", "x-max" = "1d"))]
    pub nonce_ttl_secs: Seconds,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            realm: None,
            backend: Backend::Static,
            users: BTreeMap::new(),
            algorithms: vec![Algorithm::Md5],
            qop: vec![Qop::Auth],
            nonce_secret: None,
            nonce_ttl_secs: Seconds::of(300),
        }
    }
}

/// Where credentials come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The `users` of this file.
    #[default]
    Static,
}

/// A digest algorithm (RFC 7616 6.1, RFC 8760 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// MD5: old, and what every phone speaks.
    #[serde(rename = "MD5")]
    Md5,
    /// SHA-256.
    #[serde(rename = "SHA-256")]
    Sha256,
    /// SHA-512 truncated to 256 bits.
    #[serde(rename = "SHA-512-256")]
    Sha512_256,
}

/// What a digest protects (RFC 7616 3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Qop {
    /// Method and URI.
    #[serde(rename = "auth")]
    Auth,
    /// Method, URI and body.
    #[serde(rename = "auth-int")]
    AuthInt,
}

/// What is known of a user's password.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum User {
    /// The password itself.
    Password(Secret),
    /// Hashes of `user:realm:password`; each serves its own algorithm.
    Hashes(Hashes),
}

/// HA1 per algorithm, in hexadecimal (RFC 7616 3.4.2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Hashes {
    /// MD5 of `user:realm:password`, 32 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-hex" = 32))]
    pub ha1: Option<Secret>,
    /// SHA-256 of the same, 64 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-hex" = 64))]
    pub ha1_sha256: Option<Secret>,
    /// SHA-512-256 of the same, 64 digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-hex" = 64))]
    pub ha1_sha512_256: Option<Secret>,
}

impl Hashes {
    /// The hash that serves an algorithm.
    pub fn of(&self, algorithm: Algorithm) -> Option<&Secret> {
        match algorithm {
            Algorithm::Md5 => self.ha1.as_ref(),
            Algorithm::Sha256 => self.ha1_sha256.as_ref(),
            Algorithm::Sha512_256 => self.ha1_sha512_256.as_ref(),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Either {
    Password(Secret),
    Hashes(Hashes),
}

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Ok(match Either::deserialize(d)? {
            Either::Password(password) => Self::Password(password),
            Either::Hashes(hashes) => Self::Hashes(hashes),
        })
    }
}

impl JsonSchema for User {
    fn schema_name() -> Cow<'static, str> {
        "User".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let password = generator.subschema_for::<Secret>();
        let hashes = generator.subschema_for::<Hashes>();
        json_schema!({ "anyOf": [password, hashes] })
    }
}
