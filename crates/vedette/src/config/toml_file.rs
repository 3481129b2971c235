//! Parses TOML to types, reporting all errors at once.
//!
//! serde stops at the first error. Here the rejected value is recorded and removed, or a missing one is recorded and
//! filled in, and the rest is parsed again, until it succeeds. Errors that are only a consequence of earlier ones are
//! not recorded.

use serde::de::{DeserializeOwned, IntoDeserializer};
use toml::Value;

use super::filling;
use super::location::{Keys, child_keys, get, keys_of, path_of, remove};
use super::stumble::Stumble;
use super::{ConfigRule, Mistake, secrets};

/// Most errors reported per entry.
const MOST_MISTAKES: usize = 200;

/// The parsed value, and all errors.
pub(super) struct Reading<T> {
    /// With defaults or placeholders for wrong values.
    pub(super) value: Option<T>,
    pub(super) mistakes: Vec<Mistake>,
    /// Paths with values that differ from the file.
    pub(super) touched: Vec<String>,
}

/// A file's table, and the syntax errors.
pub(super) struct Parsed {
    /// The readable part; arbitrary for a file with syntax errors.
    pub(super) table: toml::Table,
    pub(super) mistakes: Vec<Mistake>,
}

/// Parses TOML; each invalid line is an error.
pub(super) fn parse(file: &str, text: &str) -> Parsed {
    let (table, mut errors) = toml::de::DeTable::parse_recoverable(text);
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    let mut mistakes: Vec<Mistake> = Vec::new();
    for error in errors {
        let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        let path = format!("line {line}");
        if mistakes.iter().all(|known| known.error.path != path) {
            mistakes.push(Mistake::new(
                file,
                path,
                "",
                ConfigRule::Syntax { reason: secrets::scrubbed(error.message(), false).into_owned() },
            ));
        }
    }
    let table = serde::Deserialize::deserialize(toml::de::Deserializer::from(table)).unwrap_or_default();
    Parsed { table, mistakes }
}

/// Parses `value`, which is at `at` in `file`, as a `T`.
pub(super) fn read<T: DeserializeOwned>(file: &str, at: &str, value: Value) -> Reading<T> {
    let mut work = Work {
        attempt: |value: &Value| attempt::<T>(value).map(drop),
        original: value.clone(),
        value,
        file,
        at,
        mistakes: Vec::new(),
        touched: Vec::new(),
    };
    let value = loop {
        match attempt::<T>(&work.value) {
            Ok(read) => break Some(read),
            Err(_) if work.touched.len() >= MOST_MISTAKES => break None,
            Err(stumble) => {
                if !work.step(&stumble) {
                    break None;
                }
            }
        }
    };
    let touched = work.touched.iter().map(|keys| path_of(at, &work.original, keys)).collect();
    Reading { value, mistakes: work.mistakes, touched }
}

fn attempt<T: DeserializeOwned>(value: &Value) -> Result<T, Stumble> {
    serde_path_to_error::deserialize(value.clone().into_deserializer()).map_err(|error| {
        let keys = keys_of(error.path());
        Stumble { keys, message: error.into_inner().message().to_owned() }
    })
}

struct Work<'a, A> {
    attempt: A,
    value: Value,
    original: Value,
    file: &'a str,
    at: &'a str,
    mistakes: Vec<Mistake>,
    touched: Vec<Keys>,
}

impl<A: Fn(&Value) -> Result<(), Stumble>> Work<'_, A> {
    /// Records an error and repairs the value as far as parsing on needs it; whether it could.
    fn step(&mut self, stumble: &Stumble) -> bool {
        if let Some(name) = stumble.missing_field() {
            return self.missing(stumble, name);
        }
        let keys = match stumble.unknown_field() {
            Some(name) => self.unknown(stumble, name),
            None => self.culprit(stumble),
        };
        self.note(&keys, stumble);
        self.take_out(&keys, stumble)
    }

    /// serde buffers content until it knows the variant, and then errors have no position: it is searched by trial.
    fn unknown(&self, stumble: &Stumble, name: &str) -> Keys {
        if stumble.keys.last().is_some_and(|last| last == name) {
            return stumble.keys.clone();
        }
        let with = |keys: &Keys| [keys.as_slice(), &[name.to_owned()]].concat();
        let mut places = vec![stumble.keys.clone()];
        while let Some(place) = places.pop() {
            let keys = with(&place);
            let mut without = self.value.clone();
            if remove(&mut without, &keys).is_some() && (self.attempt)(&without).err().as_ref() != Some(stumble) {
                return keys;
            }
            places.extend(child_keys(&self.value, &place));
        }
        with(&stumble.keys)
    }

    /// The one innermost value whose removal moves serde's error elsewhere. The tag of a variant is tried last, since nothing
    /// parses without it; and so are mere missing values.
    fn culprit(&self, stumble: &Stumble) -> Keys {
        let mut keys = stumble.keys.clone();
        loop {
            let mut suspects: [Vec<Keys>; 3] = Default::default();
            for child in child_keys(&self.value, &keys) {
                let mut without = self.value.clone();
                remove(&mut without, &child);
                let after = (self.attempt)(&without).err();
                if after.as_ref() == Some(stumble) {
                    continue;
                }
                let name = child.last().map(String::as_str).unwrap_or_default();
                let needed = after.as_ref().and_then(Stumble::missing_field) == Some(name);
                suspects[if is_tag(name) { 2 } else { usize::from(needed) }].push(child);
            }
            match suspects.into_iter().find(|some| !some.is_empty()) {
                Some(some) if some.len() == 1 => keys.clone_from(&some[0]),
                _ => return keys,
            }
        }
    }

    fn missing(&mut self, stumble: &Stumble, name: &str) -> bool {
        let mut places = vec![stumble.keys.clone()];
        let mut next = 0;
        while let Some(place) = places.get(next).cloned() {
            next += 1;
            let keys = [place.as_slice(), &[name.to_owned()]].concat();
            if get(&self.value, &keys).is_none()
                && let Some(filled) = filling::of(&self.attempt, &self.value, &keys)
            {
                if self.is_consequence(&keys) {
                    self.value = filled;
                    self.touched.push(keys);
                    return true;
                }
                let absent = Stumble { keys: keys.clone(), message: "this is missing".into() };
                self.note(&keys, &absent);
                if is_tag(name) && !place.is_empty() {
                    return self.take_out(&place, stumble);
                }
                self.value = filled;
                self.touched.push(keys);
                return true;
            }
            places.extend(child_keys(&self.value, &place));
        }
        let keys = [stumble.keys.as_slice(), &[name.to_owned()]].concat();
        if !self.is_consequence(&keys) {
            self.note(&keys, &Stumble { keys: keys.clone(), message: "this is missing".into() });
        }
        false
    }

    /// Whether it was recorded before, lies within a placeholder, or is there under a misspelt name.
    fn is_consequence(&self, keys: &Keys) -> bool {
        let misspelt = |touched: &Keys| {
            let (Some((meant, holder)), Some((found, beside))) = (keys.split_last(), touched.split_last()) else {
                return false;
            };
            holder == beside && distance(meant, found) <= MISSPELT
        };
        self.touched.iter().any(|touched| keys.starts_with(touched) || misspelt(touched))
    }

    fn note(&mut self, keys: &Keys, stumble: &Stumble) {
        let unknown = stumble.unknown_field().is_some();
        let path = path_of(self.at, &self.original, keys);
        let whole = get(&self.original, keys).map(Value::to_string).unwrap_or_default();
        // Judged before it is shortened: the part that gives it away may be cut off.
        let hidden = secrets::is_secret_setting(&path) || secrets::is_suspicious(&whole);
        let found = get(&self.original, keys).filter(|_| !unknown && !hidden).map(shorten).unwrap_or_default();
        let meant = stumble.unknown_field().and_then(|name| meant(&stumble.message, name)).unwrap_or_default();
        let reason = secrets::scrubbed(&stumble.message, hidden && !unknown).into_owned();
        self.mistakes.push(Mistake::new(self.file, path, found, ConfigRule::Value { reason, meant }));
    }

    /// Removes the value. One without default, and an element of a list, whose removal would shift the others, is replaced.
    fn take_out(&mut self, keys: &Keys, stumble: &Stumble) -> bool {
        if keys.is_empty() {
            return false;
        }
        let (last, holder) = keys.split_last().map_or(("", &[][..]), |(last, holder)| (last.as_str(), holder));
        let mut without = self.value.clone();
        let taken = remove(&mut without, keys).is_some();
        let after = (self.attempt)(&without).err();
        let needed = after.as_ref().and_then(Stumble::missing_field) == Some(last);
        if needed && is_tag(last) && !holder.is_empty() {
            return self.take_out(&holder.to_vec(), stumble);
        }
        self.touched.push(keys.clone());
        let replaced = match last.parse::<usize>().is_ok() || needed {
            true => filling::of(&self.attempt, &self.value, keys),
            false => None,
        };
        match replaced {
            Some(replaced) => self.value = replaced,
            None if taken && after.as_ref() != Some(stumble) => self.value = without,
            None => return false,
        }
        true
    }
}

/// Greatest edit distance of a misspelt name.
const MISSPELT: usize = 2;

/// The likely meaning of the unknown field `name`, among the names in the message.
fn meant(message: &str, name: &str) -> Option<String> {
    let (_, expected) = message.split_once("expected ")?;
    let known = expected.split('`').skip(1).step_by(2);
    let nearest = known.min_by_key(|known| distance(known, name))?;
    (distance(nearest, name) <= MISSPELT).then(|| format!("`{nearest}` may be meant"))
}

/// Edit distance of two names: insertions, deletions, substitutions and swaps of neighbours.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=other.len()).collect::<Vec<usize>>()];
    for i in 1..=one.len() {
        let mut row = vec![i];
        for j in 1..=other.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[one.len()][other.len()]
}

/// Names the other contents of its table, which cannot be validated while this is wrong.
fn is_tag(name: &str) -> bool {
    matches!(name, "kind" | "method")
}

fn shorten(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
#[path = "toml_file_tests.rs"]
mod tests;
