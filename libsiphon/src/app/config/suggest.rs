//! "Did you mean": the nearest known name, or the block a name belongs to.

use serde_json::Value;

/// The nearest of `names`, when it is near enough to be meant.
pub(super) fn nearest<'a>(given: &str, names: &[&'a str]) -> Option<&'a str> {
    let given = given.to_ascii_lowercase().replace('-', "_");
    let score = |name: &str| {
        let distance = strsim::damerau_levenshtein(&given, name);
        let allowed = (name.chars().count() / 3).max(1);
        let within =
            name.starts_with(&given) && given.len() >= 4 || given.starts_with(name) && name.len() >= 4;
        (distance <= allowed || within).then_some(distance)
    };
    names.iter().filter_map(|name| Some((score(name)?, *name))).min().map(|(_, name)| name)
}

/// The dotted path of the only block of the schema that has this key.
pub(super) fn elsewhere(schema: &Value, key: &str) -> Option<String> {
    let mut found = Vec::new();
    visit(schema, schema, "", key, &mut found, 0);
    match found.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

fn visit(root: &Value, schema: &Value, path: &str, key: &str, found: &mut Vec<String>, depth: usize) {
    if depth > 6 {
        return;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#')) {
        if let Some(target) = root.pointer(target) {
            visit(root, target, path, key, found, depth + 1);
        }
        return;
    }
    for choice in schema.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        visit(root, choice, path, key, found, depth + 1);
    }
    for (name, below) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if name == key && !path.is_empty() {
            found.push(path.to_owned());
        }
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        visit(root, below, &path, key, found, depth + 1);
    }
}
