//! The validation errors of a policy.

use std::fmt;

use serde::Serialize;

/// A validation error of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyMistake {
    /// Its place, for example `rule[0] (gate).when.zone`; indices in `[]` count from 0, here and in all messages.
    pub path: String,
    /// The value there; empty when it is missing.
    pub value: String,
    /// The rule it breaks.
    pub rule: String,
    /// The remedy.
    pub fix: String,
}

impl fmt::Display for PolicyMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value.as_str() {
            "" => write!(f, "{}: {}; {}", self.path, self.rule, self.fix),
            value => write!(f, "{} = {value}: {}; {}", self.path, self.rule, self.fix),
        }
    }
}

impl std::error::Error for PolicyMistake {}

/// The validation errors so far.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The current rule, the prefix of each path.
    pub(crate) path: String,
    pub(crate) mistakes: Vec<PolicyMistake>,
}

impl Found {
    pub(crate) fn add(&mut self, key: &str, value: impl Into<String>, rule: &str, fix: &str) {
        let path = format!("{}{key}", self.path);
        let value = value.into().chars().take(120).collect();
        self.mistakes.push(PolicyMistake { path, value, rule: rule.to_owned(), fix: fix.to_owned() });
    }

    /// Records a validation error of a parameter.
    pub(crate) fn add_when(&mut self, name: &str, value: impl Into<String>, rule: &str, fix: &str) {
        self.add(&format!("when.{name}"), value, rule, fix);
    }
}
