use std::fmt;

use crate::Span;

/// One validation error in a section of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingMistake {
    /// The setting, by its path within the section.
    pub path: String,
    /// Its value; empty if missing or possibly secret.
    pub value: String,
    /// The violated rule.
    pub rule: String,
    /// The remedy; empty if the rule implies it.
    pub fix: String,
}

impl SettingMistake {
    /// A validation error at `path`.
    #[must_use]
    pub fn new(path: &str, value: impl Into<String>, rule: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { path: path.to_owned(), value: value.into(), rule: rule.into(), fix: fix.into() }
    }
}

impl fmt::Display for SettingMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.path, self.value, self.rule)
    }
}

/// Collects the validation errors of a section of the settings.
#[derive(Debug, Clone, Default)]
pub struct SettingMistakes(Vec<SettingMistake>);

impl SettingMistakes {
    /// A rule: if it does not hold, `value` at `path` is a validation error.
    pub fn check(&mut self, holds: bool, path: &str, value: impl Into<String>, rule: &str) {
        if !holds {
            self.0.push(SettingMistake::new(path, value, rule, ""));
        }
    }

    /// Checks that a span is within a range.
    pub fn within(&mut self, path: &str, value: Span, least: Span, most: Span) {
        self.check((least..=most).contains(&value), path, value.to_string(), &format!("give {least} to {most}"));
    }

    /// Adds an error.
    pub fn add(&mut self, mistake: SettingMistake) {
        self.0.push(mistake);
    }

    /// All of them.
    #[must_use]
    pub fn into_vec(self) -> Vec<SettingMistake> {
        self.0
    }
}
