use std::fmt;
use std::path::Path;

use crate::config::Mistake;

/// Severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing can run.
    Mistake,
    /// One camera cannot run; the others can, so `run` reports it and starts.
    Camera,
    /// It runs, but perhaps not as intended.
    Warning,
    /// A note.
    Note,
}

/// A problem that prevents a run, or should be known before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its severity.
    pub level: Level,
    /// Place, cause and remedy.
    pub what: Mistake,
}

impl Finding {
    pub(super) fn new(
        level: Level,
        file: &Path,
        path: &str,
        value: impl Into<String>,
        rule: impl Into<String>,
        fix: &str,
    ) -> Self {
        let (file, path, fix) = (file.display().to_string(), path.to_owned(), fix.to_owned());
        Self { level, what: Mistake { file, path, value: value.into(), rule: rule.into(), fix } }
    }
}

/// All findings.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings(pub Vec<Finding>);

impl Findings {
    /// The findings of `level`.
    pub fn at(&self, level: Level) -> impl Iterator<Item = &Mistake> {
        self.0.iter().filter(move |finding| finding.level == level).map(|finding| &finding.what)
    }

    /// The findings that make a configuration invalid.
    #[must_use]
    pub fn mistakes(&self) -> Vec<Mistake> {
        self.at(Level::Mistake).chain(self.at(Level::Camera)).cloned().collect()
    }
}

/// Warnings and notes, one a paragraph.
impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (level, word) in [(Level::Warning, "warning"), (Level::Note, "note")] {
            for what in self.at(level) {
                writeln!(f, "{word}: {what}")?;
            }
        }
        Ok(())
    }
}
