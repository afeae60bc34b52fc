//! Which keys of a configuration differ from those the node was started with.

use serde::Serialize;
use serde_json::Value;

use super::secret;

/// The values of a configuration, secrets as marks that tell them apart and nothing else.
pub struct Values(Value);

impl Values {
    /// The values of `config`.
    pub fn of<C: Serialize>(config: &C) -> Self {
        Self(secret::marked(|| serde_json::to_value(config).unwrap_or(Value::Null)))
    }

    /// The dotted keys whose values are others in `new`; a list counts as one value.
    pub fn changed(&self, new: &Self) -> Vec<String> {
        let mut keys = Vec::new();
        compare(&self.0, &new.0, "", &mut keys);
        keys
    }
}

fn compare(old: &Value, new: &Value, path: &str, keys: &mut Vec<String>) {
    if old == new {
        return;
    }
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        return keys.push(path.to_owned());
    };
    for key in before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))) {
        let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let value = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
        compare(&value(before), &value(after), &below, keys);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::app::config::secret::Secret;

    fn changed(old: Value, new: Value) -> Vec<String> {
        Values(old).changed(&Values(new))
    }

    #[test]
    fn keys_are_told_by_their_path_and_lists_as_a_whole() {
        let old = json!({"shards": 2, "listen": {"udp": [1, 2], "tcp": []}, "admin": null, "log": {"level": "info"}});
        let new = json!({"shards": 3, "listen": {"udp": [1], "tcp": []}, "admin": {"listen": 1}, "log": {"level": "info"}});
        assert_eq!(changed(old.clone(), new), ["shards", "listen.udp", "admin"]);
        assert_eq!(changed(old.clone(), old), Vec::<String>::new());
        assert_eq!(changed(json!({"users": {"a": 1}}), json!({"users": {"b": 1}})), ["users.a", "users.b"]);
    }

    #[test]
    fn another_secret_is_another_value_and_is_not_in_it() {
        let values = |text: &str| Values::of(&json!({}).as_object().map(|_| ("key", Secret::new(text))));
        assert_eq!(values("pepper").changed(&values("salt")).len(), 1);
        assert!(values("pepper").changed(&values("pepper")).is_empty());
        assert!(!values("pepper").0.to_string().contains("pepper"));
    }
}
