//! The validation errors of a policy.

use std::fmt::Display;

use vedette_core::{ValidationError, Violation};

/// Most characters of a value that an error repeats.
const LONGEST_VALUE: usize = 120;

/// The validation errors so far.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The current rule, the prefix of each path.
    pub(crate) path: String,
    pub(crate) mistakes: Vec<ValidationError>,
}

impl Found {
    pub(crate) fn add(&mut self, key: &str, value: impl Display, violation: impl Into<Violation>) {
        let path = format!("{}{key}", self.path);
        let value: String = value.to_string().chars().take(LONGEST_VALUE).collect();
        self.mistakes.push(ValidationError::new(path, value, violation));
    }

    /// Records a validation error of a parameter.
    pub(crate) fn add_when(&mut self, name: &str, value: impl Display, violation: impl Into<Violation>) {
        self.add(&format!("when.{name}"), value, violation);
    }
}
