//! A value that is never shown: not by `Debug`, not by `--print-config`, not in a log line.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What stands in place of a secret wherever it is printed.
pub const MASK: &str = "***";

/// A password, a key, a hash that is as good as a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; call it where it is used, not before.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}

thread_local! {
    static MARKED: Cell<bool> = const { Cell::new(false) };
}

/// Serialises with marks in place of masks: the same secret has the same mark, another one another. What comes of it
/// is for comparing and not for printing: short secrets can be guessed from their marks.
pub(super) fn marked<T>(serialise: impl FnOnce() -> T) -> T {
    let before = MARKED.replace(true);
    let made = serialise();
    MARKED.set(before);
    made
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match MARKED.get() {
            true => s.serialize_u64(super::fingerprint(self.0.as_bytes())),
            false => s.serialize_str(MASK),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(Self)
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1, "x-kind": "secret" })
    }
}
