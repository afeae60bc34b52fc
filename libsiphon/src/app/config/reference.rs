//! The reference page of a role's YAML, generated from its schema.

use std::fmt::Write;

use serde_json::Value;

use super::check::choices;
use super::kinds;

/// One key of the schema.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// Dotted path; `[]` for an element of a list, `*` for a free key.
    pub path: String,
    /// What it takes.
    pub takes: String,
    /// Its default as JSON, when the schema names one.
    pub default: Option<Value>,
    /// The doc comment.
    pub text: String,
}

/// Every key that holds a value, in the order of the schema.
pub fn leaves(schema: &Value) -> Vec<Leaf> {
    let mut out = Vec::new();
    walk(schema, schema, "", None, &mut out);
    out
}

fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#'));
    let target = target.and_then(|t| root.pointer(t)).unwrap_or(schema);
    // An optional value: the choice that is not null.
    let choices = target.get("anyOf").and_then(Value::as_array);
    let real = |c: &&Value| c.get("type").is_none_or(|t| t != "null");
    match choices.map(|c| c.iter().filter(real).collect::<Vec<_>>()).as_deref() {
        Some([one]) => resolve(root, one),
        _ => target,
    }
}

fn walk(root: &Value, schema: &Value, path: &str, default: Option<&Value>, out: &mut Vec<Leaf>) {
    let target = resolve(root, schema);
    let default = schema.get("default").or(default);
    let text = |s: &Value| s.get("description").and_then(Value::as_str).map(str::to_owned);
    if let Some(properties) = target.get("properties").and_then(Value::as_object) {
        for (key, below) in properties {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            walk(root, below, &path, default.and_then(|d| d.get(key)), out);
        }
        return;
    }
    let leaf = |takes: String| Leaf {
        path: path.to_owned(),
        takes,
        default: default.cloned(),
        text: text(schema).or_else(|| text(target)).unwrap_or_default(),
    };
    if let Some(items) = target.get("items") {
        let of = resolve(root, items);
        match of.get("properties") {
            Some(_) => walk(root, items, &format!("{path}[]"), None, out),
            None => {
                out.push(leaf(format!("list of {}", takes(root, of))));
                nested(root, of, &format!("{path}[]"), out);
            }
        }
        return;
    }
    if let Some(any) = target.get("additionalProperties").filter(|a| a.is_object()) {
        let of = resolve(root, any);
        out.push(leaf(format!("mapping of names to {}", takes(root, of))));
        nested(root, of, &format!("{path}.*"), out);
        return;
    }
    out.push(leaf(takes(root, target)));
}

/// The keys of a mapping, or the long forms among several shapes.
fn nested(root: &Value, of: &Value, path: &str, out: &mut Vec<Leaf>) {
    if of.get("properties").is_some() {
        return walk(root, of, path, None, out);
    }
    for choice in of.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        if resolve(root, choice).get("properties").is_some() {
            walk(root, choice, path, None, out);
        }
    }
}

fn takes(root: &Value, schema: &Value) -> String {
    if let Some(kind) = schema.get("x-kind").and_then(Value::as_str) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_str);
        let base = match (kind, schema.get("x-hex").and_then(Value::as_u64)) {
            ("seconds" | "millis", _) => "duration".to_owned(),
            ("bytes", _) => "size".to_owned(),
            ("secret", Some(digits)) => format!("secret, {digits} hexadecimal digits"),
            ("secret", None) => "secret text".to_owned(),
            _ => kinds::what(kind).to_owned(),
        };
        return match (bound("x-min"), bound("x-max")) {
            (Some(low), Some(high)) => format!("{base} from {low} to {high}"),
            _ => base,
        };
    }
    if let Some(list) = choices(schema) {
        return list.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
    }
    if let Some(list) = schema.get("anyOf").and_then(Value::as_array) {
        let all: Vec<String> = list.iter().map(|c| takes(root, resolve(root, c))).collect();
        return all.join(", or ");
    }
    let kind = match schema.get("type") {
        Some(Value::String(one)) => one.as_str(),
        Some(Value::Array(many)) => {
            many.iter().filter_map(Value::as_str).find(|t| *t != "null").unwrap_or("")
        }
        _ => "",
    };
    match kind {
        "boolean" => "true or false".to_owned(),
        "integer" => {
            let (low, high) = kinds::range(schema);
            kinds::integer(low, high)
        }
        "object" => "mapping".to_owned(),
        "string" => "text".to_owned(),
        other => other.to_owned(),
    }
}

/// The page as Markdown.
pub fn page(role: &str, schema: &Value) -> String {
    let mut out = format!(
        "# {role}: YAML reference\n\n\
         Generated from the schema (`{role} --print-schema`); a test fails when it is stale.\n\
         Unknown keys are errors. Durations and sizes take a bare number in the unit of their key (`_ms`: \
         milliseconds, otherwise seconds; sizes: bytes) or text with a unit (`30s`, `64KiB`).\n\
         `${{VAR}}`, `${{VAR:-default}}` and `${{file:/path}}` expand inside values.\n"
    );
    let mut block = String::new();
    for leaf in leaves(schema) {
        let (head, _) = leaf.path.split_once(['.', '[']).unwrap_or((&leaf.path, ""));
        if head != block {
            block = head.to_owned();
            out.push_str(&format!("\n## {block}\n"));
            let about = schema.get("properties").and_then(|p| p.get(head));
            let about =
                about.and_then(|b| b.get("description").or_else(|| resolve(schema, b).get("description")));
            if let Some(text) = about.and_then(Value::as_str).filter(|t| *t != leaf.text) {
                out.push_str(&format!("\n{}\n", flat(text)));
            }
        }
        let written =
            write!(out, "\n### `{}`\n\n{}\n\n- takes: {}\n", leaf.path, flat(&leaf.text), leaf.takes);
        debug_assert!(written.is_ok(), "writing to a String succeeds");
        if let Some(default) = leaf.default.filter(|d| !d.is_null()) {
            out.push_str(&format!("- default: `{default}`\n"));
        }
    }
    out
}

fn flat(text: &str) -> String {
    text.split("\n\n")
        .map(|p| p.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join("\n\n")
}
