//! Paths within a TOML value: as keys for the program, as text for people.

use toml::Value;

use super::secrets::{HIDDEN, is_suspicious};

/// The path to a value: names in tables, indices in lists.
pub(super) type Keys = Vec<String>;

pub(super) fn keys_of(path: &serde_path_to_error::Path) -> Keys {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

pub(super) fn get<'a>(value: &'a Value, keys: &[String]) -> Option<&'a Value> {
    keys.iter().try_fold(value, |here, key| match here {
        Value::Table(table) => table.get(key),
        Value::Array(list) => list.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

fn get_mut<'a>(value: &'a mut Value, keys: &[String]) -> Option<&'a mut Value> {
    keys.iter().try_fold(value, |here, key| match here {
        Value::Table(table) => table.get_mut(key),
        Value::Array(list) => list.get_mut(key.parse::<usize>().ok()?),
        _ => None,
    })
}

pub(super) fn remove(value: &mut Value, keys: &[String]) -> Option<Value> {
    let (last, parents) = keys.split_last()?;
    match get_mut(value, parents)? {
        Value::Table(table) => table.remove(last),
        Value::Array(list) => {
            let index = last.parse::<usize>().ok()?;
            (index < list.len()).then(|| list.remove(index))
        }
        _ => None,
    }
}

/// Sets the value at `keys`; whether it exists.
pub(super) fn set(value: &mut Value, keys: &[String], new: Value) -> bool {
    let Some((last, parents)) = keys.split_last() else { return false };
    match get_mut(value, parents) {
        Some(Value::Table(table)) => {
            table.insert(last.clone(), new);
            true
        }
        Some(Value::Array(list)) => match last.parse::<usize>().ok().and_then(|index| list.get_mut(index)) {
            Some(element) => {
                *element = new;
                true
            }
            None => false,
        },
        _ => false,
    }
}

/// The paths of the direct children.
pub(super) fn child_keys(value: &Value, keys: &Keys) -> Vec<Keys> {
    let below = |key: String| [keys.as_slice(), &[key]].concat();
    match get(value, keys) {
        Some(Value::Table(table)) => table.keys().cloned().map(below).collect(),
        Some(Value::Array(list)) => (0..list.len()).map(|index| below(index.to_string())).collect(),
        _ => Vec::new(),
    }
}

/// The path for people: `at`, then names and indices. Indices count from 0, and an entry with a name shows it: `policy[0]
/// (camera/gate).rule[2] (loiter).when`.
pub(super) fn path_of(at: &str, value: &Value, keys: &[String]) -> String {
    let mut path = at.to_owned();
    for (depth, key) in keys.iter().enumerate() {
        let parent = get(value, &keys[..depth]);
        if matches!(parent, Some(Value::Array(_))) {
            path += &format!("[{key}]{}", get(value, &keys[..=depth]).map(name_of).unwrap_or_default());
        } else {
            let key = if is_suspicious(key) { HIDDEN } else { key };
            path += &if path.is_empty() { key.to_owned() } else { format!(".{key}") };
        }
    }
    path
}

/// The name of an entry in parentheses, when it has one.
pub(super) fn name_of(entry: &Value) -> String {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    let scope = || {
        let (kind, name) = entry.get("applies_to")?.as_table()?.iter().next()?;
        Some(format!("{kind}/{}", name.as_str()?))
    };
    let name = text("id").or_else(scope).or_else(|| text("topic"));
    name.filter(|name| !name.is_empty() && name.len() <= 80 && !name.contains(char::is_control))
        .filter(|name| !is_suspicious(name))
        .map(|name| format!(" ({name})"))
        .unwrap_or_default()
}

/// Whether one of two paths contains or equals the other. Names of entries are ignored: that of a broken entry may be shown in
/// several ways.
pub(super) fn related(a: &str, b: &str) -> bool {
    let (a, b) = (without_names(a), without_names(b));
    let within = |inner: &str, outer: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    within(&a, &b) || within(&b, &a)
}

fn without_names(path: &str) -> String {
    let mut plain = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once("] (") {
        plain += before;
        plain.push(']');
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_related_whatever_their_entries_are_called() {
        assert!(related("camera[2] (gate).source.path", "camera[2].source"));
        assert!(related("policy[0] (camera/a).rule[1] (x)", "policy[0] (camera/b).rule[1] (1s).when.zone"));
        assert!(!related("camera[2] (gate).source", "camera[21] (gate).source"));
        assert!(!related("bus.keep", "bus.keep_video"));
    }
}
