use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Most differences that are listed.
const MOST: usize = 100;

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Difference {
    /// Its path; a part of a list stands there by its id, as in `rule lawn.score.enter`.
    path: String,
    /// The value before; null if there was none.
    #[schema(required = true, value_type = Object)]
    before: Value,
    /// The value after; null if there is none.
    #[schema(required = true, value_type = Object)]
    after: Value,
}

impl Difference {
    /// Its path.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Of what is shown in words.
    pub(super) fn of_texts(path: &str, before: String, after: String) -> Self {
        Self { path: path.to_owned(), before: before.into(), after: after.into() }
    }
}

/// The values in which two of a kind differ, [`MOST`] at most.
pub(super) fn differences<T: Serialize>(before: &T, after: &T) -> Vec<Difference> {
    // By their text, in which numbers are as short as people write them.
    let value = |of: &T| serde_json::to_string(of).and_then(|text| serde_json::from_str(&text)).unwrap_or(Value::Null);
    let mut found = Vec::new();
    compare("", &value(before), &value(after), &mut found);
    found.truncate(MOST);
    found
}

fn compare(path: &str, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    if before == after || found.len() > MOST {
        return;
    }
    let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                let of = |object: &serde_json::Map<String, Value>| object.get(name).cloned().unwrap_or(Value::Null);
                compare(&below(name), &of(old), &of(new), found);
            }
        }
        (Value::Array(old), Value::Array(new)) if has_ids(old) && has_ids(new) => {
            for id in ids(old).chain(ids(new)).collect::<BTreeSet<_>>() {
                let of = |list: &[Value]| list.iter().find(|part| part["id"] == id).cloned().unwrap_or(Value::Null);
                compare(&format!("{path} {id}"), &of(old), &of(new), found);
            }
            let order = |list: &[Value]| ids(list).map(Value::from).collect::<Value>();
            let same: BTreeSet<&str> = ids(old).collect();
            if same == ids(new).collect() {
                compare(&below("order"), &order(old), &order(new), found);
            }
        }
        _ => {
            found.push(Difference { path: path.trim_start().to_owned(), before: before.clone(), after: after.clone() })
        }
    }
}

fn ids(list: &[Value]) -> impl Iterator<Item = &str> {
    list.iter().filter_map(|part| part["id"].as_str())
}

/// Whether each part has an id of its own.
fn has_ids(list: &[Value]) -> bool {
    ids(list).collect::<BTreeSet<_>>().len() == list.len()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parts_of_lists_are_compared_by_their_id() {
        let policy = |rules: Value| json!({ "frame": { "width": 768, "height": 576 }, "rule": rules });
        let rule = |id: &str, enter: f32| json!({ "id": id, "score": { "enter": enter } });
        let text = |before: Value, after: Value| {
            let found = differences(&policy(before), &policy(after));
            found.into_iter().map(|d| format!("{}: {} -> {}", d.path, d.before, d.after)).collect::<Vec<_>>()
        };
        let [a, b] = [rule("a", 0.5), rule("b", 0.5)];
        assert_eq!(text(json!([a, b]), json!([a, b])), Vec::<String>::new());
        assert_eq!(text(json!([a, b]), json!([rule("a", 0.75), b])), ["rule a.score.enter: 0.5 -> 0.75"]);
        assert_eq!(text(json!([a]), json!([b])).len(), 2);
        assert_eq!(text(json!([a, b]), json!([b, a])), [r#"rule.order: ["a","b"] -> ["b","a"]"#]);
        assert_eq!(text(json!([1, 2]), json!([1, 3])), ["rule: [1,2] -> [1,3]"]);
    }
}
