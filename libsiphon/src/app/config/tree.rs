//! A YAML document as a tree that remembers where each value was written.
//!
//! Scalars keep their spelling: what `0755` or `yes` means is decided by the schema, never guessed here.
//! Built from the events of serde-saphyr's parser, so that one bad value does not hide the next. Duplicate
//! keys, merge keys, tags, aliases beyond the budget and a second document are problems, not surprises.

use std::collections::BTreeMap;

use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle};

use super::problem::Problem;

/// Nodes a document may hold, aliases counted each time they are used.
const NODE_BUDGET: usize = 100_000;
/// Levels of nesting.
const DEPTH_LIMIT: usize = 64;

/// A place in the document, both counted from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, PartialOrd, Ord)]
pub struct Mark {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// A value and where it was written.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Start of the value.
    pub mark: Mark,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// Text as written, after YAML's own unquoting.
    Scalar {
        /// The text.
        text: String,
        /// Written without quotes, so that `null` and an empty value mean "nothing".
        plain: bool,
        /// What `${…}` was replaced while reading it, if anything.
        source: Option<Source>,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping, in the order it was written.
    Mapping(Vec<Entry>),
}

/// Where an expanded value came from; for `--print-config`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An environment variable that was set.
    Env(String),
    /// The default written behind a variable that was not set.
    EnvDefault(String),
    /// A file's content.
    File(String),
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key stands.
    pub mark: Mark,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// A plain scalar that says nothing: empty, `~` or `null`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true, .. } if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// The value in a few words, for "got …".
    pub(super) fn describe(&self) -> String {
        match &self.kind {
            _ if self.is_null() => "nothing".to_owned(),
            Kind::Scalar { text, .. } => format!("{:?}", shorten(text)),
            Kind::Sequence(_) => "a list".to_owned(),
            Kind::Mapping(_) => "a mapping".to_owned(),
        }
    }
}

/// The first 40 characters.
pub(super) fn shorten(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((cut, _)) => format!("{}…", text.get(..cut).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A collection that is being read.
enum Open {
    Sequence { mark: Mark, anchor: usize, items: Vec<Node> },
    Mapping { mark: Mark, anchor: usize, entries: Vec<Entry>, key: Option<(String, Mark)> },
}

struct Builder<'a> {
    stack: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
    problems: &'a mut Vec<Problem>,
}

/// Reads one document. `None` when it is empty or cannot be read at all; every fault met goes to `problems`.
pub(super) fn parse(text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let mut builder = Builder { stack: Vec::new(), anchors: BTreeMap::new(), nodes: 0, root: None, problems };
    let mut documents = 0usize;
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(pair) => pair,
            Err(error) => {
                builder.fault(mark(error.marker()), format!("not valid YAML: {}", error.info()));
                return None;
            }
        };
        let at = mark(&span.start);
        if let Event::DocumentStart(..) = event {
            documents += 1;
            if documents > 1 {
                builder.fault(at, "a second document starts here; one file holds one document");
                return builder.root;
            }
        }
        if !builder.event(event, at) {
            return None;
        }
    }
    builder.root
}

fn mark(marker: &Marker) -> Mark {
    Mark { line: marker.line().max(1), column: marker.col().saturating_add(1) }
}

impl Builder<'_> {
    fn fault(&mut self, at: Mark, what: impl Into<String>) {
        self.problems.push(Problem::new("", at, what));
    }

    /// False when reading cannot go on.
    fn event(&mut self, event: Event<'_>, at: Mark) -> bool {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                if let Some(tag) =
                    tag.filter(|t| !(t.handle() == "tag:yaml.org,2002:" && t.suffix() == "str"))
                {
                    self.fault(at, format!("the tag {}{} has no meaning here", tag.handle(), tag.suffix()));
                }
                let plain = matches!(style, ScalarStyle::Plain);
                let node =
                    Node { mark: at, kind: Kind::Scalar { text: text.into_owned(), plain, source: None } };
                self.remember(anchor, &node);
                self.place(node, 1)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open(Open::Sequence { mark: at, anchor, items: Vec::new() }, at)
            }
            Event::MappingStart(_, anchor, _) => {
                self.open(Open::Mapping { mark: at, anchor, entries: Vec::new(), key: None }, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => match self.anchors.get(&id).cloned() {
                Some(mut node) => {
                    node.mark = at;
                    let cost = size(&node);
                    self.place(node, cost)
                }
                None => {
                    self.fault(at, "this alias stands inside its own anchor");
                    false
                }
            },
            _ => true,
        }
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    fn open(&mut self, open: Open, at: Mark) -> bool {
        if self.stack.len() >= DEPTH_LIMIT {
            self.fault(at, format!("nested deeper than {DEPTH_LIMIT} levels"));
            return false;
        }
        self.stack.push(open);
        true
    }

    fn close(&mut self) -> bool {
        let (node, anchor) = match self.stack.pop() {
            Some(Open::Sequence { mark, anchor, items }) => {
                (Node { mark, kind: Kind::Sequence(items) }, anchor)
            }
            Some(Open::Mapping { mark, anchor, entries, .. }) => {
                (Node { mark, kind: Kind::Mapping(entries) }, anchor)
            }
            None => return true,
        };
        self.remember(anchor, &node);
        self.place(node, 1)
    }

    /// Puts a finished value where it belongs; `cost` is what it adds to the budget.
    fn place(&mut self, node: Node, cost: usize) -> bool {
        self.nodes = self.nodes.saturating_add(cost);
        if self.nodes > NODE_BUDGET {
            self.fault(
                node.mark,
                format!("more than {NODE_BUDGET} values, aliases counted each time they are used"),
            );
            return false;
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::Sequence { items, .. }) => items.push(node),
            Some(Open::Mapping { entries, key, .. }) => match key.take() {
                None => match node.kind {
                    Kind::Scalar { text, .. } => *key = Some((text, node.mark)),
                    Kind::Sequence(_) | Kind::Mapping(_) => {
                        self.fault(node.mark, "a key must be text");
                        return false;
                    }
                },
                Some((name, at)) => {
                    if let Some(first) = entries.iter().find(|e| e.key == name) {
                        let line = first.mark.line;
                        self.fault(at, format!("the key {name:?} is given twice, first in line {line}"));
                    } else {
                        entries.push(Entry { key: name, mark: at, value: node });
                    }
                }
            },
        }
        true
    }
}

/// Nodes of a whole subtree.
fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar { .. } => 1,
        Kind::Sequence(items) => items.iter().map(size).fold(1, usize::saturating_add),
        Kind::Mapping(entries) => entries.iter().map(|e| size(&e.value)).fold(1, usize::saturating_add),
    }
}
