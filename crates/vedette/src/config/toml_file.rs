//! TOML to types, with every mistake at once.
//!
//! serde stops at the first mistake. Here the value it stumbled over is noted, taken out, and the rest is read again, until
//! it reads or something that has no default is missing.

use serde::de::DeserializeOwned;
use toml::Value;

use super::Mistake;

/// What could be read, and all that was wrong.
pub(super) struct Reading<T> {
    pub(super) value: Option<T>,
    pub(super) mistakes: Vec<Mistake>,
}

/// Parses TOML; a syntax error is one mistake with its line.
pub(super) fn parse(file: &str, text: &str) -> Result<toml::Table, Mistake> {
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        Mistake {
            file: file.to_owned(),
            path: format!("line {line}"),
            value: String::new(),
            rule: format!("this is no TOML: {}", error.message()),
            fix: String::new(),
        }
    })
}

/// Reads `value`, which lies at `at` in `file`, as a `T`.
pub(super) fn read<T: DeserializeOwned>(file: &str, at: &str, mut value: Value) -> Reading<T> {
    let mut mistakes = Vec::new();
    loop {
        let error = match serde_path_to_error::deserialize(value.clone()) {
            Ok(read) => return Reading { value: Some(read), mistakes },
            Err(error) => error,
        };
        let message = error.inner().message().to_owned();
        let mut keys: Vec<String> = segments(error.path());
        if let Some(name) = unknown_field(&message)
            && keys.last().map(String::as_str) != Some(name)
        {
            keys.push(name.to_owned());
        }
        let found = take(&mut value, &keys);
        let path = join(at, &keys);
        let again = mistakes.iter().any(|mistake: &Mistake| mistake.path == path && mistake.rule == message);
        let taken = found.is_some();
        if !again {
            mistakes.push(Mistake {
                file: file.to_owned(),
                path,
                value: found.filter(|_| unknown_field(&message).is_none()).map(|v| shorten(&v)).unwrap_or_default(),
                rule: message,
                fix: String::new(),
            });
        }
        if !taken || again {
            return Reading { value: None, mistakes };
        }
    }
}

fn segments(path: &serde_path_to_error::Path) -> Vec<String> {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

fn unknown_field(message: &str) -> Option<&str> {
    message.strip_prefix("unknown field `")?.split('`').next()
}

/// Removes the value at `keys`; an element of a list takes its whole list along, since a hole would shift the others.
fn take(value: &mut Value, keys: &[String]) -> Option<Value> {
    let (last, parents) = keys.split_last()?;
    let mut here = value;
    for key in parents {
        here = match here {
            Value::Table(table) => table.get_mut(key)?,
            Value::Array(list) => list.get_mut(key.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match here {
        Value::Table(table) => table.remove(last),
        Value::Array(list) => {
            let index = last.parse::<usize>().ok()?;
            (index < list.len()).then(|| list.remove(index))
        }
        _ => None,
    }
}

fn join(at: &str, keys: &[String]) -> String {
    keys.iter().fold(at.to_owned(), |path, key| match key.parse::<usize>() {
        Ok(index) => format!("{path}[{index}]"),
        Err(_) if path.is_empty() => key.clone(),
        Err(_) => format!("{path}.{key}"),
    })
}

fn shorten(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        port: u16,
        inner: Inner,
    }

    #[derive(Debug, Deserialize, PartialEq, Default)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        wait: vedette_core::Span,
        list: Vec<u8>,
    }

    fn mistakes(text: &str) -> Vec<String> {
        let table = parse("f", text).unwrap();
        read::<Outer>("f", "", Value::Table(table)).mistakes.into_iter().map(|m| format!("{m}")).collect()
    }

    #[test]
    fn every_mistake_is_found_in_one_reading() {
        let found = mistakes("port = 70000\nprot = 1\n[inner]\nwait = \"5\"\nwaait = 1\nlist = [1, \"x\", 3]\n");
        let all = found.join("\n");
        assert_eq!(found.len(), 5, "{all}");
        for expected in
            ["f: port = 70000", "f: prot", "inner.wait = \"5\"", "with its unit", "inner.waait", "inner.list[1]"]
        {
            assert!(all.contains(expected), "{expected} in\n{all}");
        }
    }

    #[test]
    fn a_good_file_reads() {
        assert!(mistakes("port = 80\n[inner]\nwait = \"5s\"\n").is_empty());
        assert_eq!(parse("f", "a = \n").unwrap_err().path, "line 1");
    }
}
