use std::fmt;

/// A validation error of a camera's calibration.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct CalibrationMistake {
    /// Its path in the camera's description, such as `calibration.points[2].pixel`.
    pub path: String,
    /// The value there.
    pub value: String,
    /// The rule it breaks.
    pub rule: String,
    /// The remedy.
    pub fix: String,
}

impl CalibrationMistake {
    pub(crate) fn new(
        path: impl Into<String>,
        value: impl fmt::Display,
        rule: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { path: path.into(), value: value.to_string(), rule: rule.into(), fix: fix.into() }
    }
}

impl fmt::Display for CalibrationMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}; {}", self.path, self.value, self.rule, self.fix)
    }
}

impl std::error::Error for CalibrationMistake {}
