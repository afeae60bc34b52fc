//! Who may log in: the port behind which user tables stand, and the static table.

use super::algorithm::{Algorithm, HexDigest};
use crate::base::text::Text;
use hashbrown::HashMap;
use std::fmt;

/// Answers with HA1, `H(user:realm:password)` (RFC 7616 3.4.2).
///
/// An implementation does the same work for a user it does not know as for one it knows, so that the time it takes
/// tells nobody who exists.
pub trait Credentials {
    /// HA1 of `user` as presented, a domain included; `None` when there is no such user in `realm`.
    fn ha1(&self, user: &str, realm: &str, algorithm: Algorithm) -> Option<HexDigest>;

    /// Whether users can log in with `algorithm`. One they cannot use is not offered: a phone takes the strongest
    /// it is offered and does not try the next.
    fn supports(&self, _algorithm: Algorithm) -> bool {
        true
    }
}

/// What is known of a user's password.
#[derive(Clone, PartialEq, Eq)]
pub enum UserSecret {
    /// The password itself.
    Password(Text),
    /// HA1 in hexadecimal under one algorithm.
    Ha1(Algorithm, Text),
}

impl fmt::Debug for UserSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserSecret(..)")
    }
}

/// One secret for whoever asks: a script that looked the password up itself.
impl Credentials for UserSecret {
    fn ha1(&self, user: &str, realm: &str, algorithm: Algorithm) -> Option<HexDigest> {
        // Computed in any case: a user with a stored HA1 is not to be told apart by time from one without.
        let password: &str = if let UserSecret::Password(password) = self { password } else { "" };
        let parts = [user.as_bytes(), realm.as_bytes(), password.as_bytes()];
        let computed = std::hint::black_box(algorithm.hash(&parts));
        match self {
            UserSecret::Password(_) => Some(computed),
            UserSecret::Ha1(of, digits) if *of == algorithm => HexDigest::parse(algorithm, digits),
            UserSecret::Ha1(..) => None,
        }
    }

    fn supports(&self, algorithm: Algorithm) -> bool {
        match self {
            UserSecret::Password(_) => true,
            UserSecret::Ha1(of, _) => *of == algorithm,
        }
    }
}

/// Users written in the configuration.
#[derive(Clone, Debug, Default)]
pub struct StaticUsers {
    users: HashMap<Text, UserSecret, foldhash::quality::FixedState>,
}

impl StaticUsers {
    /// A table of users, the same in every realm. A user may be named with a domain; it then logs in with it.
    pub fn new(users: impl IntoIterator<Item = (Text, UserSecret)>) -> Self {
        StaticUsers { users: users.into_iter().collect() }
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether nobody can log in.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    /// The user as presented, or without a domain that is the realm.
    fn find(&self, user: &str, realm: &str) -> Option<&UserSecret> {
        self.users.get(user).or_else(|| {
            let (local, domain) = user.rsplit_once('@')?;
            // A stored HA1 holds the name it was made for, so it cannot serve another spelling.
            let secret = self.users.get(local).filter(|s| matches!(s, UserSecret::Password(_)));
            secret.filter(|_| domain.eq_ignore_ascii_case(realm))
        })
    }
}

impl Credentials for StaticUsers {
    fn ha1(&self, user: &str, realm: &str, algorithm: Algorithm) -> Option<HexDigest> {
        let nobody = UserSecret::Password(Text::default());
        let found = self.find(user, realm);
        let ha1 = found.unwrap_or(&nobody).ha1(user, realm, algorithm);
        found.and(ha1)
    }

    fn supports(&self, algorithm: Algorithm) -> bool {
        self.users.values().all(|secret| secret.supports(algorithm))
    }
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
