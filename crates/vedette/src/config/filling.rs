//! Placeholders for missing or wrong values, so that the rest can be parsed.

use toml::Value;

use super::location::{Keys, get};
use super::stumble::{Stumble, place};

/// `value` with a placeholder at `keys` that parses there, or that only lacks values further below.
pub(super) fn of(attempt: &impl Fn(&Value) -> Result<(), Stumble>, value: &Value, keys: &Keys) -> Option<Value> {
    let siblings = keys.split_last().and_then(|(_, parents)| get(value, parents)).and_then(Value::as_array);
    let mut candidates: Vec<Value> = siblings.cloned().unwrap_or_default();
    candidates.extend(usual());
    let mut partial = None;
    let mut next = 0;
    while let Some(candidate) = candidates.get(next).cloned() {
        next += 1;
        let table = candidate.is_table();
        let Some(filled) = place(value, keys, candidate) else { continue };
        match attempt(&filled) {
            Ok(()) => return Some(filled),
            Err(stumble) => {
                if next <= 64 {
                    candidates.extend(variant(&stumble.message));
                }
                // Only an empty table may lack values that can be filled in.
                let lacks_more = stumble.missing_field().is_some() && stumble.keys.starts_with(keys);
                if partial.is_none() && goes_on(&stumble, keys) && (table || !lacks_more) {
                    partial = Some(filled);
                }
            }
        }
    }
    partial
}

/// Whether serde now fails elsewhere, or at a value below. An error at the place itself or at its parent is caused by the
/// placeholder, since serde reports a missing field only after it has parsed the others.
fn goes_on(stumble: &Stumble, keys: &Keys) -> bool {
    let (last, holder) = keys.split_last().map_or(("", &[][..]), |(last, holder)| (last.as_str(), holder));
    match stumble.missing_field() {
        Some(name) => !(name == last && stumble.keys == holder),
        None => {
            let unknown = stumble.message.starts_with("unknown field");
            let about_it = keys.starts_with(&stumble.keys) || stumble.keys.starts_with(keys);
            !about_it
                || (unknown
                    && stumble.keys != *keys
                    && !stumble.message.starts_with(&format!("unknown field `{last}`")))
        }
    }
}

fn usual() -> Vec<Value> {
    let number = Value::Integer;
    let point = |x, y| Value::Array(vec![number(x), number(y)]);
    vec![
        Value::String("1s".into()),
        number(1),
        Value::Float(0.5),
        Value::Boolean(true),
        Value::String("2026-01-01T00:00:00Z".into()),
        point(1, 1),
        Value::Array(vec![point(0, 0), point(9, 0), point(9, 9)]),
        Value::Array(Vec::new()),
        Value::Table(toml::Table::new()),
    ]
}

/// The first of the variants that a message lists.
fn variant(message: &str) -> Option<Value> {
    let expected = message.strip_prefix("unknown variant `")?.split_once("expected ")?.1;
    let first = expected.split('`').nth(1)?;
    Some(Value::String(first.to_owned()))
}
