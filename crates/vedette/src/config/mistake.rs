use std::fmt;

use vedette_core::SettingMistake;

/// A validation error in a file: path, value, rule, remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The file.
    pub file: String,
    /// Path of the value within the file, for example `bus.kafka.brokers` or
    /// `policy[0] (camera/gate).rule[2] (loiter).when`; lists count from 0.
    pub path: String,
    /// The value; empty when something is missing.
    pub value: String,
    /// The rule it breaks.
    pub rule: String,
    /// The remedy; empty when the rule implies it.
    pub fix: String,
}

impl Mistake {
    /// A validation error that a section found in itself.
    #[must_use]
    pub fn in_section(file: &str, section: &str, mistake: SettingMistake) -> Self {
        let SettingMistake { path, value, rule, fix } = mistake;
        Self { file: file.to_owned(), path: format!("{section}.{path}"), value, rule, fix }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.path)?;
        if !self.value.is_empty() {
            write!(f, " = {}", self.value)?;
        }
        write!(f, "\n    {}", self.rule)?;
        if !self.fix.is_empty() {
            write!(f, "\n    {}", self.fix)?;
        }
        Ok(())
    }
}

/// All validation errors, to be corrected at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mistakes(pub Vec<Mistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        writeln!(f, "{count} mistake{} in the configuration:", if count == 1 { "" } else { "s" })?;
        for mistake in &self.0 {
            writeln!(f, "  {mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}
