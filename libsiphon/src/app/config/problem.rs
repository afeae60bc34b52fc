//! What is wrong with a configuration, and how it is told: file, line and column, dotted key, the line itself.

use std::fmt;

use super::tree::Mark;

/// One fault in a configuration file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Dotted key, `listen.udp[1]`; empty for the document as a whole.
    pub path: String,
    /// Where it stands; `None` when it is about something that was not written.
    pub mark: Option<Mark>,
    /// What was expected and what came.
    pub what: String,
    /// What would be right, when that can be said.
    pub help: Option<String>,
}

impl Problem {
    /// A fault at a place.
    pub fn new(path: impl Into<String>, mark: Mark, what: impl Into<String>) -> Self {
        Self { path: path.into(), mark: Some(mark), what: what.into(), help: None }
    }

    /// Adds what would be right.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }
}

/// All faults of one file, ready to be printed.
#[derive(Debug)]
pub struct Problems {
    /// The file's name as the user gave it.
    pub file: String,
    /// The faults, in the order of the file.
    pub list: Vec<Problem>,
    /// The file's text, for the line under each message.
    text: String,
}

impl Problems {
    /// Sorts by place; faults without a place come last.
    pub fn new(file: impl Into<String>, text: impl Into<String>, mut list: Vec<Problem>) -> Self {
        list.sort_by_key(|p| p.mark.map_or((usize::MAX, 0), |m| (m.line, m.column)));
        Self { file: file.into(), list, text: text.into() }
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.list {
            f.write_str(&self.file)?;
            if let Some(mark) = problem.mark {
                write!(f, ":{}:{}", mark.line, mark.column)?;
            }
            if !problem.path.is_empty() {
                write!(f, ": {}", problem.path)?;
            }
            writeln!(f, ": {}", problem.what)?;
            if let Some((mark, line)) =
                problem.mark.and_then(|m| Some((m, self.text.lines().nth(m.line.checked_sub(1)?)?)))
            {
                snippet(f, &problem.path, mark, line)?;
            }
            if let Some(help) = &problem.help {
                writeln!(f, "    = {help}")?;
            }
        }
        match self.list.len() {
            1 => writeln!(f, "1 problem in {}", self.file),
            n => writeln!(f, "{n} problems in {}", self.file),
        }
    }
}

/// The line with a caret under the column. Values behind a key that names a secret are not repeated.
fn snippet(f: &mut fmt::Formatter<'_>, path: &str, mark: Mark, line: &str) -> fmt::Result {
    let shown = masked(path, line);
    let number = mark.line.to_string();
    writeln!(f, "  {number} | {shown}")?;
    writeln!(
        f,
        "  {:width$} | {:indent$}^",
        "",
        "",
        width = number.len(),
        indent = mark.column.saturating_sub(1)
    )
}

fn masked(path: &str, line: &str) -> String {
    const NAMES: [&str; 4] = ["secret", "password", "token", "ha1"];
    let clean: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match clean.split_once(':') {
        Some((key, value))
            if !value.trim().is_empty()
                && (path.starts_with("auth.users")
                    || NAMES.iter().any(|n| key.to_ascii_lowercase().contains(n))) =>
        {
            format!("{key}: ***")
        }
        _ => clean,
    }
}
