//! Walks a document against the schema of its role and collects everything wrong with it in one go.
//!
//! The schema is generated from the typed structs, so there is one truth. The result is the same document
//! with its scalars turned into what the schema asks for, and the place each value was written.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::kinds;
use super::known;
use super::problem::Problem;
use super::suggest;
use super::tree::{Entry, Kind, Mark, Node, Source, shorten};

/// Where a value of the effective configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Where it was written.
    pub mark: Mark,
    /// What a `${…}` in it was replaced with, if there was one.
    pub source: Option<Source>,
}

/// A document that was read against a schema.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// The document, ready for serde.
    pub value: Value,
    /// Origin of each value that was written, by dotted path.
    pub origins: BTreeMap<String, Origin>,
}

/// Reads `root` against `schema` (a JSON Schema as schemars makes it); faults go to `problems`.
pub(super) fn check(schema: &Value, root: Option<&Node>, role: &str, problems: &mut Vec<Problem>) -> Checked {
    let mut walk = Walk { schema, role, problems, origins: BTreeMap::new() };
    let value = match root {
        Some(node) if !node.is_null() => walk.value(schema, node, ""),
        _ => None,
    };
    let origins = walk.origins;
    Checked { value: value.unwrap_or_else(|| Value::Object(Map::new())), origins }
}

struct Walk<'a> {
    schema: &'a Value,
    role: &'a str,
    problems: &'a mut Vec<Problem>,
    origins: BTreeMap<String, Origin>,
}

impl Walk<'_> {
    fn fault(
        &mut self,
        path: &str,
        mark: Mark,
        what: impl Into<String>,
        help: Option<String>,
    ) -> Option<Value> {
        self.problems.push(Problem { path: path.to_owned(), mark: Some(mark), what: what.into(), help });
        None
    }

    fn value(&mut self, schema: &Value, node: &Node, path: &str) -> Option<Value> {
        let schema = self.resolve(schema);
        let source = match &node.kind {
            Kind::Scalar { source, .. } => source.clone(),
            _ => None,
        };
        if !path.is_empty() {
            self.origins.insert(path.to_owned(), Origin { mark: node.mark, source });
        }
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
            return self.either(choices.clone(), node, path);
        }
        if node.is_null() {
            return match () {
                () if allows(&schema, "null") => Some(Value::Null),
                () if allows(&schema, "object") => Some(Value::Object(Map::new())),
                () => {
                    let what = format!("expected {}, got nothing", expected(&schema));
                    self.fault(
                        path,
                        node.mark,
                        what,
                        Some("leave the key out for its default, or quote the text".to_owned()),
                    )
                }
            };
        }
        match &node.kind {
            Kind::Mapping(entries) if allows(&schema, "object") => {
                Some(self.mapping(&schema, entries, node.mark, path))
            }
            Kind::Sequence(items) if allows(&schema, "array") => {
                if items.is_empty() && schema.get("minItems").is_some() {
                    return self.fault(path, node.mark, "must not be an empty list", None);
                }
                let of = schema.get("items").cloned().unwrap_or(Value::Bool(true));
                let read = |(i, item): (usize, &Node)| self.value(&of, item, &format!("{path}[{i}]"));
                Some(Value::Array(items.iter().enumerate().filter_map(read).collect()))
            }
            Kind::Scalar { text, plain, .. } => self.scalar(&schema, text, *plain, node, path),
            _ => {
                let help = list_help(&schema, node);
                self.fault(
                    path,
                    node.mark,
                    format!("expected {}, got {}", expected(&schema), node.describe()),
                    help,
                )
            }
        }
    }

    fn resolve(&self, schema: &Value) -> Value {
        let Some(name) = schema.get("$ref").and_then(Value::as_str) else { return schema.clone() };
        let target =
            name.strip_prefix('#').and_then(|p| self.schema.pointer(p)).cloned().unwrap_or(Value::Bool(true));
        match (target, schema) {
            (Value::Object(mut target), Value::Object(over)) => {
                let keep = over.iter().filter(|(k, _)| *k != "$ref").map(|(k, v)| (k.clone(), v.clone()));
                target.extend(keep);
                Value::Object(target)
            }
            (target, _) => target,
        }
    }

    /// One of several shapes: the one that fits the way the value is written.
    fn either(&mut self, choices: Vec<Value>, node: &Node, path: &str) -> Option<Value> {
        let resolved: Vec<Value> = choices.iter().map(|c| self.resolve(c)).collect();
        let wanted: &[&str] = match &node.kind {
            _ if node.is_null() => &["null"],
            Kind::Mapping(_) => &["object"],
            Kind::Sequence(_) => &["array"],
            Kind::Scalar { .. } => &["string", "integer", "number", "boolean"],
        };
        match resolved.iter().find(|c| wanted.iter().any(|kind| allows(c, kind))) {
            Some(fits) if node.is_null() && allows(fits, "null") => Some(Value::Null),
            Some(fits) => self.value(&fits.clone(), node, path),
            None => {
                let all: Vec<String> = resolved.iter().filter(|c| !only_null(c)).map(expected).collect();
                let what = format!("expected {}, got {}", all.join(" or "), node.describe());
                self.fault(path, node.mark, what, None)
            }
        }
    }

    fn mapping(&mut self, schema: &Value, entries: &[Entry], mark: Mark, path: &str) -> Value {
        let mut out = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object);
        // A misspelt key is read as the one it resembles, so that what is wrong inside it is told as well.
        let mut meant = Vec::new();
        for entry in entries {
            let below = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
            if let Some(property) = properties.and_then(|p| p.get(&entry.key)) {
                if let Some(value) = self.value(&property.clone(), &entry.value, &below) {
                    out.insert(entry.key.clone(), value);
                }
            } else if let Some(any) =
                schema.get("additionalProperties").filter(|a| !matches!(a, Value::Bool(false)))
            {
                if let Some(value) = self.value(&any.clone(), &entry.value, &below) {
                    out.insert(entry.key.clone(), value);
                }
            } else {
                let keys: Vec<&str> =
                    properties.map(|p| p.keys().map(String::as_str).collect()).unwrap_or_default();
                let (what, help) = self.unknown(path, &entry.key, &keys);
                self.fault(&below, entry.mark, what, help);
                let near =
                    suggest::nearest(&entry.key, &keys).filter(|_| known::find(path, &entry.key).is_none());
                let near = near.filter(|near| !entries.iter().any(|e| e.key == *near));
                if let Some((near, property)) =
                    near.and_then(|n| Some((n.to_owned(), properties?.get(n)?.clone())))
                {
                    if let Some(value) = self.value(&property, &entry.value, &below) {
                        out.insert(near.clone(), value);
                    }
                    meant.push(near);
                }
            }
        }
        let required = schema.get("required").and_then(Value::as_array);
        for key in required.into_iter().flatten().filter_map(Value::as_str) {
            if !entries.iter().any(|e| e.key == key) && !meant.iter().any(|m| m == key) {
                let below = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
                self.fault(&below, mark, "this key is required", None);
            }
        }
        Value::Object(out)
    }

    fn unknown(&self, path: &str, key: &str, keys: &[&str]) -> (String, Option<String>) {
        if let Some(found) = known::find(path, key) {
            return (found.what(self.role), found.help(self.role));
        }
        if let Some(near) = suggest::nearest(key, keys) {
            return ("unknown key".to_owned(), Some(format!("did you mean `{near}`?")));
        }
        if let Some(place) = suggest::elsewhere(self.schema, key) {
            return ("unknown key here".to_owned(), Some(format!("`{key}` belongs in `{place}`")));
        }
        let list = keys.join(", ");
        ("unknown key".to_owned(), Some(format!("known keys: {list}")))
    }

    fn scalar(&mut self, schema: &Value, text: &str, plain: bool, node: &Node, path: &str) -> Option<Value> {
        if let Some(kind) = schema.get("x-kind").and_then(Value::as_str) {
            return match kinds::accept(kind, text, schema) {
                Ok(()) => Some(Value::String(text.to_owned())),
                Err(fault) => self.fault(path, node.mark, fault.what, fault.help),
            };
        }
        if let Some(choices) = choices(schema) {
            if choices.iter().any(|c| c == text) {
                return Some(Value::String(text.to_owned()));
            }
            let list: Vec<&str> = choices.iter().map(String::as_str).collect();
            if known::later_value(path, text) {
                let what =
                    format!("{text:?} is not in this version of {}; expected {}", self.role, any_of(&list));
                return self.fault(path, node.mark, what, None);
            }
            let help = suggest::nearest(text, &list).map(|near| format!("did you mean `{near}`?"));
            return self.fault(
                path,
                node.mark,
                format!("expected {}, got {}", any_of(&list), node.describe()),
                help,
            );
        }
        if allows(schema, "boolean") {
            return match text {
                "true" | "True" | "TRUE" => Some(Value::Bool(true)),
                "false" | "False" | "FALSE" => Some(Value::Bool(false)),
                _ => {
                    let help = match text.to_ascii_lowercase().as_str() {
                        "yes" | "on" | "y" | "1" => Some("write `true`".to_owned()),
                        "no" | "off" | "n" | "0" => Some("write `false`".to_owned()),
                        _ => None,
                    };
                    self.fault(
                        path,
                        node.mark,
                        format!("expected true or false, got {}", node.describe()),
                        help,
                    )
                }
            };
        }
        if allows(schema, "integer") {
            let (low, high) = kinds::range(schema);
            return match text.replace('_', "").parse::<u64>() {
                Ok(n) if (low..=high).contains(&n) => Some(Value::from(n)),
                _ => self.fault(
                    path,
                    node.mark,
                    format!("expected {}, got {}", kinds::integer(low, high), node.describe()),
                    None,
                ),
            };
        }
        if allows(schema, "number") {
            let (low, high) = kinds::float_range(schema);
            return match text.parse::<f64>() {
                Ok(n) if n >= low && n <= high => Some(Value::from(n)),
                _ => self.fault(
                    path,
                    node.mark,
                    format!("expected a number from {low} to {high}, got {}", node.describe()),
                    None,
                ),
            };
        }
        if allows(schema, "string") {
            if text.is_empty() && schema.get("minLength").is_some() {
                return self.fault(path, node.mark, "must not be empty", None);
            }
            return Some(Value::String(text.to_owned()));
        }
        let hint = allows(schema, "array")
            .then(|| format!("write `[{}]`, or one `- ` per line", quoted(text, plain)));
        self.fault(path, node.mark, format!("expected {}, got {}", expected(schema), node.describe()), hint)
    }
}

fn quoted(text: &str, plain: bool) -> String {
    let text = shorten(text);
    if plain { text } else { format!("\"{text}\"") }
}

fn list_help(schema: &Value, node: &Node) -> Option<String> {
    let one = matches!(&node.kind, Kind::Sequence(items) if items.len() == 1);
    (one && !allows(schema, "array") && !allows(schema, "object"))
        .then(|| "leave out the `- ` or the brackets".to_owned())
}

/// Whether the schema's `type` includes this one. A schema without a type and without choices allows all.
fn allows(schema: &Value, kind: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(one)) => one == kind,
        Some(Value::Array(many)) => many.iter().any(|t| t == kind),
        _ => choices(schema).map_or(schema == &Value::Bool(true), |_| kind == "string"),
    }
}

fn only_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|t| t == "null")
}

/// The texts an enumeration accepts.
pub(super) fn choices(schema: &Value) -> Option<Vec<String>> {
    let text = |v: &Value| v.as_str().map(str::to_owned);
    if let Some(list) = schema.get("enum").and_then(Value::as_array) {
        return Some(list.iter().filter_map(text).collect());
    }
    let list = schema.get("oneOf").and_then(Value::as_array)?;
    let all =
        list.iter().flat_map(|one| match (one.get("const"), one.get("enum").and_then(Value::as_array)) {
            (Some(c), _) => text(c).into_iter().collect::<Vec<_>>(),
            (None, Some(many)) => many.iter().filter_map(text).collect(),
            (None, None) => Vec::new(),
        });
    Some(all.collect())
}

fn any_of(list: &[&str]) -> String {
    match list {
        [one] => (*one).to_owned(),
        [head @ .., last] => format!("{} or {last}", head.join(", ")),
        [] => "nothing".to_owned(),
    }
}

/// What a schema wants, in a few words.
fn expected(schema: &Value) -> String {
    if let Some(kind) = schema.get("x-kind").and_then(Value::as_str) {
        return kinds::what(kind).to_owned();
    }
    if let Some(choices) = choices(schema) {
        return any_of(&choices.iter().map(String::as_str).collect::<Vec<_>>());
    }
    for (kind, words) in [
        ("object", "a mapping of keys"),
        ("array", "a list"),
        ("boolean", "true or false"),
        ("integer", "a number"),
        ("number", "a number"),
        ("string", "text"),
    ] {
        if allows(schema, kind) {
            return words.to_owned();
        }
    }
    "something else".to_owned()
}
