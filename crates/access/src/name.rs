use std::fmt;

use serde::{Deserialize, Serialize};
use vedette_core::Violation;

use crate::rules::AccessRule;

/// Most characters of a name.
const LONGEST: usize = 64;
/// The caller without an account.
pub(crate) const LOCAL: &str = "local";

/// The name of an account or token: 1 to 64 letters, digits and `.`, `_`, `-`, `@`; ASCII letters are lower case, so that two names never
/// differ by case alone.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// Validates a name; upper case becomes lower case.
    ///
    /// # Errors
    /// The rule it breaks.
    pub fn new(text: &str) -> Result<Self, Violation> {
        // Only ASCII: other scripts have letters that look the same.
        let is_han = |c: char| matches!(c, '\u{4e00}'..='\u{9fff}');
        let is_letter = |c: char| c.is_ascii_alphanumeric() || is_han(c);
        let is_valid = text.chars().count() <= LONGEST
            && text.chars().next().is_some_and(is_letter)
            && text.chars().all(|c| is_letter(c) || matches!(c, '.' | '_' | '-' | '@'));
        let name = text.to_ascii_lowercase();
        match name.as_str() {
            _ if !is_valid => Err(AccessRule::Name.into()),
            LOCAL => Err(AccessRule::Reserved { name }.into()),
            _ => Ok(Self(name)),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::new(&text).map_err(|violation| violation.rule)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain_and_differ_by_more_than_case() {
        for good in ["anna", "Anna.Li", "7", "值班员-1", "anna@city.example", &"a".repeat(64)] {
            assert_eq!(Name::new(good).unwrap().as_str(), good.to_ascii_lowercase(), "{good}");
        }
        let long = "a".repeat(65);
        for bad in ["", " anna", "an na", "-anna", "аnna", "a\u{202e}b", "a/b", "a:b", "LOCAL", "local", "a\nb", &long]
        {
            assert!(Name::new(bad).is_err(), "{bad:?}");
        }
    }
}
