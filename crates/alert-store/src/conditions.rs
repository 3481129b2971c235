//! The conditions of a list, with their values numbered.

use super::session::Value;

/// The terms of a `WHERE` clause.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    terms: Vec<String>,
    values: Vec<Value<'static>>,
}

impl Conditions {
    /// Adds a term, in which each `?` is the next of `values`.
    pub(super) fn add(&mut self, term: &str, values: impl IntoIterator<Item = Value<'static>>) {
        let numbered = numbered(term, values, &mut self.values);
        self.terms.push(numbered);
    }

    /// Adds a term about values that were numbered before: those with which the conditions began.
    pub(super) fn add_numbered(&mut self, term: String) {
        self.terms.push(term);
    }

    /// Conditions whose first values are these.
    pub(super) const fn with(values: Vec<Value<'static>>) -> Self {
        Self { terms: Vec::new(), values }
    }

    /// The clause (empty or starting with `WHERE`) and its values.
    pub(super) fn clause(self) -> (String, Vec<Value<'static>>) {
        let clause = if self.terms.is_empty() { String::new() } else { format!("WHERE {}", self.terms.join(" AND ")) };
        (clause, self.values)
    }
}

/// A term in which each `?` is the next of `new`, which are added to the values of the statement.
pub(super) fn numbered(
    term: &str,
    new: impl IntoIterator<Item = Value<'static>>,
    values: &mut Vec<Value<'static>>,
) -> String {
    let mut parts = term.split('?');
    let mut numbered = parts.next().unwrap_or_default().to_owned();
    for (part, value) in parts.zip(new) {
        values.push(value);
        numbered.push_str(&format!("?{}{part}", values.len()));
    }
    numbered
}
