use std::fmt;

use crate::text::{TextRule, printable};
use crate::{Argument, Arguments, Span, Violation, ViolationInfo};

/// A validation error of a setting, a policy or a camera.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidationError {
    /// The place of the value, for example `kafka.brokers` or `rule[0] (gate).when.zone`; indices in `[]` count from 0.
    pub path: String,
    /// The value, without invisible characters; empty if missing or possibly secret.
    pub value: String,
    /// The stable code of the violated rule.
    pub code: &'static str,
    /// The arguments of the texts.
    pub arguments: Arguments,
    /// The violated rule.
    pub rule: String,
    /// The remedy; empty if the rule implies it.
    pub fix: String,
}

impl ValidationError {
    /// A validation error at `path`.
    #[must_use]
    pub fn new(path: impl Into<String>, value: impl fmt::Display, violation: impl Into<Violation>) -> Self {
        let Violation { code, arguments, rule, fix } = violation.into();
        let (path, value) = (printable(&path.into()).into_owned(), printable(&value.to_string()).into_owned());
        Self { path, value, code, arguments, rule, fix }
    }

    /// The same error in a section: its path begins with that of the section.
    #[must_use]
    pub fn within(mut self, section: &str) -> Self {
        self.path = format!("{}.{}", printable(section), self.path);
        self
    }
}

impl fmt::Display for ValidationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if !self.value.is_empty() {
            write!(f, " = {}", self.value)?;
        }
        write!(f, ": {}", self.rule)?;
        if !self.fix.is_empty() {
            write!(f, "; {}", self.fix)?;
        }
        Ok(())
    }
}

impl std::error::Error for ValidationError {}

crate::violations! {
    /// Rules that hold for settings of many sections.
    pub(crate) enum ValueRule {
        Span { least: Span, most: Span } = "value.span": "it is outside {least} to {most}", "give {least} to {most}";
        Number { least: Argument, most: Argument } = "value.number": "it is outside {least} to {most}",
            "give {least} to {most}";
    }
}

/// The definitions of the validation errors of settings of any section.
#[must_use]
pub fn value_violations() -> Vec<ViolationInfo> {
    ValueRule::ALL.iter().chain(TextRule::ALL).copied().collect()
}

/// Collects validation errors.
#[derive(Debug, Clone, Default)]
pub struct ValidationErrors(Vec<ValidationError>);

impl ValidationErrors {
    /// A rule: if it does not hold, `value` at `path` is a validation error.
    pub fn check(&mut self, holds: bool, path: &str, value: impl fmt::Display, violation: impl Into<Violation>) {
        if !holds {
            self.add(path, value, violation);
        }
    }

    /// Checks that a span is within a range.
    pub fn span(&mut self, path: &str, value: Span, least: Span, most: Span) {
        self.check((least..=most).contains(&value), path, value, ValueRule::Span { least, most });
    }

    /// Checks that a number is within a range.
    pub fn number<N: PartialOrd + fmt::Display + Copy + Into<Argument>>(
        &mut self,
        path: &str,
        value: N,
        least: N,
        most: N,
    ) {
        let violation = ValueRule::Number { least: least.into(), most: most.into() };
        self.check((least..=most).contains(&value), path, value, violation);
    }

    /// Adds an error.
    pub fn add(&mut self, path: impl Into<String>, value: impl fmt::Display, violation: impl Into<Violation>) {
        self.0.push(ValidationError::new(path, value, violation));
    }

    /// Adds the errors of a part.
    pub fn extend(&mut self, errors: impl IntoIterator<Item = ValidationError>) {
        self.0.extend(errors);
    }

    /// All of them.
    #[must_use]
    pub fn into_vec(self) -> Vec<ValidationError> {
        self.0
    }
}
