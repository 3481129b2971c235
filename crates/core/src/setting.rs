use std::fmt;

use crate::Span;

/// One thing that is wrong in a section of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingMistake {
    /// The setting, by its path within the section.
    pub path: String,
    /// Its value; empty where it is missing or may be secret.
    pub value: String,
    /// The rule it breaks.
    pub rule: String,
    /// What to do; empty when the rule says it.
    pub fix: String,
}

impl SettingMistake {
    /// A mistake at `path`.
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

/// What is wrong in a section of the settings, rule by rule.
#[derive(Debug, Clone, Default)]
pub struct SettingMistakes(Vec<SettingMistake>);

impl SettingMistakes {
    /// A rule: where it does not hold, `value` at `path` is a mistake.
    pub fn check(&mut self, holds: bool, path: &str, value: impl Into<String>, rule: &str) {
        if !holds {
            self.0.push(SettingMistake::new(path, value, rule, ""));
        }
    }

    /// The rule that a span lies in a range.
    pub fn within(&mut self, path: &str, value: Span, least: Span, most: Span) {
        self.check((least..=most).contains(&value), path, value.to_string(), &format!("give {least} to {most}"));
    }

    /// A mistake that is there.
    pub fn add(&mut self, mistake: SettingMistake) {
        self.0.push(mistake);
    }

    /// All of them.
    #[must_use]
    pub fn into_vec(self) -> Vec<SettingMistake> {
        self.0
    }
}
