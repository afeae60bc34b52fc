//! The configuration: strict YAML, one schema per role, every fault told in one go.
//!
//! A role composes its schema from the typed blocks here. Loading reads the text into a tree, expands `${…}`
//! in values, walks the tree against the schema, then builds the typed value; [`Config::validate`] has the
//! last word on what a schema cannot say. Nothing here opens a socket or runs a script.

pub mod address;
pub mod auth;
pub mod b2bua;
pub mod changes;
mod check;
pub mod effective;
pub mod expand;
mod kinds;
mod known;
pub mod limits;
pub mod listen;
pub mod media;
pub mod nat;
pub mod node;
pub mod observe;
pub mod problem;
pub mod reference;
pub mod registrar;
pub mod rules;
pub mod script;
pub mod secret;
mod suggest;
pub mod transaction;
mod tree;
pub mod unit;

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use check::Origin;
pub use expand::{Environment, Process};
pub use problem::{Problem, Problems};
pub use tree::{Mark, Source};

/// A role's configuration: typed, with a schema, and able to say what the schema cannot.
pub trait Config: DeserializeOwned + Serialize + JsonSchema + Default {
    /// Reports what is wrong between values that are each right by themselves.
    fn validate(&self, report: &mut Report<'_>);
}

/// Collects what [`Config::validate`] finds.
pub struct Report<'a> {
    origins: &'a BTreeMap<String, Origin>,
    problems: &'a mut Vec<Problem>,
}

impl Report<'_> {
    /// A fault at a dotted key; it is shown where the key, or the nearest block above it, was written.
    pub fn at(&mut self, path: &str, what: impl Into<String>) -> &mut Problem {
        let mut above = path;
        let mark = loop {
            if let Some(origin) = self.origins.get(above) {
                break Some(origin.mark);
            }
            match above.rfind(['.', '[']) {
                Some(cut) => above = above.get(..cut).unwrap_or_default(),
                None => break None,
            }
        };
        let problem = Problem { path: path.to_owned(), mark, what: what.into(), help: None };
        let at = self.problems.len();
        self.problems.push(problem);
        &mut self.problems[at]
    }

    /// Whether something at or below this key was found wrong already, so that what follows from it is not told.
    pub fn has_fault_in(&self, path: &str) -> bool {
        self.problems.iter().any(|p| {
            p.path.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    /// Whether the key was written at all.
    pub fn is_set(&self, path: &str) -> bool {
        self.origins.contains_key(path)
    }
}

/// The text of a configuration and where it came from.
#[derive(Clone, Debug)]
pub struct Text {
    /// What messages call it: the path as given, or a name in angle brackets for the embedded one.
    pub name: String,
    /// The YAML.
    pub text: String,
    /// The file, unless it is embedded; relative paths inside count from its directory.
    pub file: Option<PathBuf>,
}

impl Text {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, Problems> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Ok(Self { name, text, file: Some(path.to_owned()) }),
            Err(error) => {
                let what = format!("cannot read it: {}", expand::reason(&error));
                let problem = Problem { path: String::new(), mark: None, what, help: None };
                Err(Problems::new(name, "", vec![problem]))
            }
        }
    }

    /// The text compiled into the binary.
    pub fn embedded(role: &str, text: &str) -> Self {
        Self { name: format!("<embedded {role}.yaml>"), text: text.to_owned(), file: None }
    }
}

/// A configuration that is right, and where each of its values came from.
#[derive(Debug)]
pub struct Loaded<C> {
    /// The values.
    pub config: C,
    /// What messages call the file.
    pub name: String,
    /// The file, unless it is embedded.
    pub file: Option<PathBuf>,
    /// The [`fingerprint`] of the text it was read from.
    pub read: u64,
    origins: BTreeMap<String, Origin>,
}

/// A hash of a file's content, to notice that it changed.
pub fn fingerprint(content: &[u8]) -> u64 {
    let mut hasher = siphasher::sip::SipHasher13::new();
    hasher.write(content);
    hasher.finish()
}

impl<C> Loaded<C> {
    /// A path of the configuration as a path of the process: relative ones count from the YAML file.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        match self.file.as_deref().and_then(Path::parent) {
            Some(directory) if path.is_relative() => directory.join(path),
            _ => path.to_owned(),
        }
    }
}

/// The JSON Schema of a role (draft 2020-12).
pub fn schema<C: Config>() -> Value {
    schemars::schema_for!(C).to_value()
}

/// Loads a configuration, or says everything that is wrong with it. `role` is the binary's name.
pub fn load<C: Config>(text: &Text, role: &str, env: &dyn Environment) -> Result<Loaded<C>, Problems> {
    let mut problems = Vec::new();
    let mut tree = tree::parse(&text.text, &mut problems);
    if let Some(root) = &mut tree {
        expand::expand(root, "", env, &mut problems);
    }
    let checked = match tree {
        None if !problems.is_empty() => return Err(Problems::new(&text.name, &text.text, problems)),
        tree => check::check(&schema::<C>(), tree.as_ref(), role, &mut problems),
    };
    if problems.iter().any(|p| p.path.is_empty() && p.mark.is_some()) && checked.origins.is_empty() {
        return Err(Problems::new(&text.name, &text.text, problems));
    }
    // Faulty values were left out, so what remains is built and validated too: all faults in one go.
    let config = match serde_path_to_error::deserialize::<_, C>(checked.value) {
        Ok(config) => Some(config),
        Err(error) if problems.is_empty() => {
            let path = error.path().to_string();
            let what = error.into_inner().to_string();
            Report { origins: &checked.origins, problems: &mut problems }.at(&path, what);
            None
        }
        Err(_) => None,
    };
    if let Some(config) = &config {
        config.validate(&mut Report { origins: &checked.origins, problems: &mut problems });
    }
    match config {
        Some(config) if problems.is_empty() => Ok(Loaded {
            config,
            name: text.name.clone(),
            file: text.file.clone(),
            read: fingerprint(text.text.as_bytes()),
            origins: checked.origins,
        }),
        _ => Err(Problems::new(&text.name, &text.text, problems)),
    }
}
