use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {kind}: {rule}")]
pub struct IdError {
    kind: &'static str,
    text: String,
    rule: &'static str,
}

const MAX_LEN: usize = 64;

fn check(kind: &'static str, text: &str) -> Result<(), IdError> {
    let refuse = |rule| Err(IdError { kind, text: text.chars().take(80).collect(), rule });
    if text.is_empty() {
        return refuse("it is empty; give 1 to 64 characters");
    }
    if text.len() > MAX_LEN {
        return refuse("it is longer than 64 characters");
    }
    if !text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':')) {
        return refuse("only ASCII letters, digits and - _ . : are allowed");
    }
    Ok(())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Validates `text` as an identifier: 1 to 64 ASCII letters, digits, `-`, `_`, `.`, `:`.
            ///
            /// # Errors
            /// When `text` breaks that rule.
            pub fn new(text: &str) -> Result<Self, IdError> {
                check($kind, text)?;
                Ok(Self(text.into()))
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0.to_string()
            }
        }
    };
}

text_id!(
    /// One camera, city-wide. It is the key of every record about that camera.
    CameraId,
    "camera id"
);
text_id!(
    /// One rule of a policy; unique within the camera it applies to.
    RuleId,
    "rule id"
);
text_id!(
    /// One change of cameras and policies.
    ChangeId,
    "change id"
);

/// One object tracked within one camera and one stream session. It never leaves its camera and is not an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TrackId(pub u64);

impl fmt::Display for TrackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_which_rule_it_breaks() {
        assert_eq!(CameraId::new("gate-1.north").unwrap().as_str(), "gate-1.north");
        for (text, rule) in [("", "empty"), ("a b", "ASCII"), (&"x".repeat(65), "longer")] {
            let error = CameraId::new(text).unwrap_err().to_string();
            assert!(error.contains(rule), "{error}");
        }
    }
}
