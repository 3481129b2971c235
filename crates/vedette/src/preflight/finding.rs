use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use vedette_core::{ValidationError, Violation};

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

/// Something that stands in the way of a run, or should be known before.
#[derive(Debug, Clone, PartialEq)]
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
        value: impl fmt::Display,
        rule: impl Into<Violation>,
    ) -> Self {
        Self { level, what: Mistake::new(file.display(), path, value, rule) }
    }
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Default)]
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

impl Findings {
    /// A JSON object a line for each of `mistakes` and of the findings.
    #[must_use]
    pub fn json_lines(&self, mistakes: &[Mistake]) -> String {
        let found = self.0.iter().map(|finding| (finding.level, &finding.what));
        let all = mistakes.iter().map(|mistake| (Level::Mistake, mistake)).chain(found);
        all.map(|(level, mistake)| format!("{}\n", json(level, mistake))).collect()
    }
}

fn json(level: Level, Mistake { file, error }: &Mistake) -> serde_json::Value {
    let level = match level {
        Level::Mistake => "error",
        Level::Camera => "camera",
        Level::Warning => "warning",
        Level::Note => "note",
    };
    let ValidationError { path, value, code, arguments, rule, fix } = error;
    let arguments: BTreeMap<_, _> = arguments.iter().map(|(name, argument)| (*name, argument)).collect();
    serde_json::json!({
        "level": level, "file": file, "path": path, "value": value, "code": code, "arguments": arguments, "rule": rule,
        "fix": fix,
    })
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
