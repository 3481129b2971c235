use std::fmt;

use vedette_core::{Argument, ValidationError, Violation};

use super::secrets::{HIDDEN, is_suspicious};

/// A validation error in a file: path, value, rule, remedy.
#[derive(Debug, Clone, PartialEq)]
pub struct Mistake {
    /// The file.
    pub file: String,
    /// The error. Its path is that of the value within the file, for example `bus.kafka.brokers` or
    /// `policy[0] (camera/gate).rule[2] (loiter).when`.
    pub error: ValidationError,
}

impl Mistake {
    /// A validation error at a path of a file.
    #[must_use]
    pub fn new(
        file: impl fmt::Display,
        path: impl Into<String>,
        value: impl fmt::Display,
        violation: impl Into<Violation>,
    ) -> Self {
        Self::without_secrets(file.to_string(), ValidationError::new(path, value, violation))
    }

    /// A validation error that a section found in itself.
    #[must_use]
    pub fn in_section(file: &str, section: &str, error: ValidationError) -> Self {
        Self::without_secrets(file.to_owned(), error.within(section))
    }

    /// Neither the value nor the texts that repeat it show what may be a secret.
    fn without_secrets(file: String, mut error: ValidationError) -> Self {
        if is_suspicious(&error.value) {
            let hide = |text: &mut String| *text = text.replace(&error.value, HIDDEN);
            hide(&mut error.rule);
            hide(&mut error.fix);
            for (_, argument) in &mut error.arguments {
                match argument {
                    Argument::Text(text) => hide(text),
                    Argument::Words(words) => words.iter_mut().for_each(hide),
                    Argument::Number(_) => {}
                }
            }
            error.value.clear();
        }
        Self { file, error }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ValidationError { path, value, code, rule, fix, .. } = &self.error;
        write!(f, "{}: {path}", self.file)?;
        if !value.is_empty() {
            write!(f, " = {value}")?;
        }
        write!(f, "\n    {rule} [{code}]")?;
        if !fix.is_empty() {
            write!(f, "\n    {fix}")?;
        }
        Ok(())
    }
}

/// All validation errors, to be corrected at once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        writeln!(f, "{count} error{} in the configuration:", if count == 1 { "" } else { "s" })?;
        for mistake in &self.0 {
            writeln!(f, "  {mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
