//! `${VAR}`, `${VAR:-default}` and `${file:/path}` inside values.
//!
//! Done on values after parsing, so that a colon or a line break in a secret can neither break the document
//! nor add keys to it. `$${` stands for a literal `${`. Keys are never expanded.

use super::problem::Problem;
use super::tree::{Kind, Node, Source};

/// Longest file that `${file:…}` reads; a secret is shorter.
const FILE_LIMIT: u64 = 64 * 1024;

/// Where variables and files come from; tests give their own.
pub trait Environment {
    /// The value of an environment variable, `None` when it is not set.
    fn var(&self, name: &str) -> Option<String>;
    /// The content of a file, without one trailing line break.
    fn file(&self, path: &str) -> Result<String, String>;
}

/// The process's environment and file system.
pub struct Process;

impl Environment for Process {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<String, String> {
        let size = std::fs::metadata(path).map_err(|e| reason(&e))?.len();
        if size > FILE_LIMIT {
            return Err(format!("longer than {FILE_LIMIT} bytes"));
        }
        let mut text = std::fs::read_to_string(path).map_err(|e| reason(&e))?;
        if text.ends_with('\n') {
            text.pop();
        }
        Ok(text)
    }
}

/// An I/O error in lower case and without the number.
pub(super) fn reason(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        std::io::ErrorKind::InvalidData => "not UTF-8 text".to_owned(),
        _ => error.to_string(),
    }
}

/// Expands every scalar below `node`.
pub(super) fn expand(node: &mut Node, path: &str, env: &dyn Environment, problems: &mut Vec<Problem>) {
    let mark = node.mark;
    match &mut node.kind {
        Kind::Scalar { text, source, .. } if text.contains("${") => match expanded(text, env) {
            Ok((value, from)) => {
                *text = value;
                *source = from;
            }
            Err(fault) => problems.push(Problem { path: path.to_owned(), mark: Some(mark), ..fault }),
        },
        Kind::Scalar { .. } => {}
        Kind::Sequence(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                expand(item, &format!("{path}[{index}]"), env, problems);
            }
        }
        Kind::Mapping(entries) => {
            for entry in entries {
                let below = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
                expand(&mut entry.value, &below, env, problems);
            }
        }
    }
}

fn expanded(text: &str, env: &dyn Environment) -> Result<(String, Option<Source>), Problem> {
    let mut out = String::with_capacity(text.len());
    let mut source = None;
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(literal) = before.strip_suffix('$') {
            out.push_str(literal);
            out.push_str("${");
            rest = from.get(2..).unwrap_or_default();
            continue;
        }
        out.push_str(before);
        let inner = from.get(2..).unwrap_or_default();
        let Some(end) = inner.find('}') else {
            return Err(fault("a `${` without its `}`").help("write `$${` for a literal `${`"));
        };
        let (name, after) = inner.split_at(end);
        let (value, from) = resolve(name, env)?;
        out.push_str(&value);
        source = Some(from);
        rest = after.get(1..).unwrap_or_default();
    }
    out.push_str(rest);
    Ok((out, source))
}

fn resolve(name: &str, env: &dyn Environment) -> Result<(String, Source), Problem> {
    if let Some(path) = name.strip_prefix("file:") {
        return match env.file(path) {
            Ok(value) => Ok((value, Source::File(path.to_owned()))),
            Err(why) => Err(fault(format!("cannot read {path}: {why}"))),
        };
    }
    let (name, default) = match name.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (name, None),
    };
    let valid = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !valid {
        return Err(fault(format!("{name:?} is not the name of an environment variable"))
            .help("forms: ${VAR}, ${VAR:-default}, ${file:/path}"));
    }
    match (env.var(name).filter(|v| !v.is_empty() || default.is_none()), default) {
        (Some(value), _) => Ok((value, Source::Env(name.to_owned()))),
        (None, Some(default)) => Ok((default.to_owned(), Source::EnvDefault(name.to_owned()))),
        (None, None) => Err(fault(format!("the environment variable {name} is not set"))
            .help(format!("set it, or give a default: ${{{name}:-…}}"))),
    }
}

fn fault(what: impl Into<String>) -> Problem {
    Problem { path: String::new(), mark: None, what: what.into(), help: None }
}
