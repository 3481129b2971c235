use std::fmt;
use std::str::FromStr;

use vedette_core::{AlertId, Timestamp};

/// A position in a list, newest first. It stays valid when entries are added or removed. As text `<microseconds>.<id>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor<Id = AlertId> {
    /// Time of the last entry seen: when an alert was raised, or a near-miss ended.
    pub at: Timestamp,
    /// Its id.
    pub id: Id,
}

/// The text is not a cursor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a cursor; pass the `next` of the previous page unchanged")]
pub struct CursorError(String);

impl<Id: fmt::Display> fmt::Display for Cursor<Id> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.as_micros(), self.id)
    }
}

impl<Id: FromStr> FromStr for Cursor<Id> {
    type Err = CursorError;
    fn from_str(text: &str) -> Result<Self, CursorError> {
        let parse = || {
            let (micros, id) = text.split_once('.')?;
            Some(Self { at: Timestamp::from_micros(micros.parse().ok()?), id: id.parse().ok()? })
        };
        parse().ok_or_else(|| CursorError(text.chars().take(80).collect()))
    }
}
