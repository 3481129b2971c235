use bytes::Bytes;
use prost::Message;
use vedette_core::Timestamp;

use crate::error::parse;
use crate::{WireError, pb};

/// The site's only address base; it prefixes every key, so that a topic can later contain several.
const NAME: &str = "city";
/// Most characters of a version or file name.
const MOST_CHARACTERS: usize = 128;

/// Announcement of another address base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressBaseChange {
    /// Capture time from which it is in force.
    pub effective_from: Timestamp,
    /// The base, or the delta to it.
    pub base: NewBase,
}

/// Source of an announced base.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NewBase {
    /// A file in the machine's directory of bases.
    File {
        /// The version that it must have.
        version: String,
        /// Its file name, without a path.
        name: String,
    },
    /// A delta to a known base.
    Delta {
        /// Version of the base to which it applies.
        from_version: String,
        /// Version of the result.
        to_version: String,
        /// The delta, at most [`AddressBaseChange::MOST_DELTA_BYTES`].
        content: Bytes,
    },
}

impl AddressBaseChange {
    /// Most bytes of a delta, which is sent in one record. A larger change needs a new base.
    pub const MOST_DELTA_BYTES: usize = 900_000;

    /// The version in force after the change.
    #[must_use]
    pub fn version(&self) -> &str {
        match &self.base {
            NewBase::File { version, .. } => version,
            NewBase::Delta { to_version, .. } => to_version,
        }
    }

    /// The key of its record on `addresses`.
    #[must_use]
    pub fn key(&self) -> String {
        address_key(self.effective_from)
    }
}

/// The key of the record on `addresses` for an instant: one record each, so that compaction keeps the whole timeline.
#[must_use]
pub fn address_key(effective_from: Timestamp) -> String {
    format!("{NAME}/{effective_from}")
}

/// The value of a record on `addresses`.
#[must_use]
pub fn encode_address_change(change: &AddressBaseChange) -> Bytes {
    use pb::address_base_change::{Change, Delta, File};
    let base = match change.base.clone() {
        NewBase::File { version, name } => Change::Base(File { version, name }),
        NewBase::Delta { from_version, to_version, content } => {
            Change::Delta(Delta { from_version, to_version, content })
        }
    };
    pb::AddressBaseChange { effective_from_us: change.effective_from.as_micros(), change: Some(base) }
        .encode_to_vec()
        .into()
}

/// Reads the value of a record on `addresses`.
///
/// # Errors
/// When the bytes are not such a message, or a value breaks its rule.
pub fn decode_address_change(bytes: Bytes) -> Result<AddressBaseChange, WireError> {
    use pb::address_base_change::Change;
    let message: pb::AddressBaseChange = parse("AddressBaseChange", bytes)?;
    let base = match message.change.ok_or(WireError::missing("change"))? {
        Change::Base(file) => {
            NewBase::File { version: version("base.version", file.version)?, name: file_name(file.name)? }
        }
        Change::Delta(delta) => {
            if delta.content.len() > AddressBaseChange::MOST_DELTA_BYTES {
                let rule = format!("{} bytes; a delta has at most 900000, publish a new base", delta.content.len());
                return Err(WireError::invalid("delta.content", rule));
            }
            NewBase::Delta {
                from_version: version("delta.from_version", delta.from_version)?,
                to_version: version("delta.to_version", delta.to_version)?,
                content: delta.content,
            }
        }
    };
    Ok(AddressBaseChange { effective_from: Timestamp::from_micros(message.effective_from_us), base })
}

fn version(field: &'static str, text: String) -> Result<String, WireError> {
    let known = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if text.is_empty() || text.len() > MOST_CHARACTERS || !text.chars().all(known) {
        let shown: String = text.chars().take(40).collect();
        return Err(WireError::invalid(
            field,
            format!("`{shown}` is not a valid version; letters, digits, `.`, `_` and `-`"),
        ));
    }
    Ok(text)
}

/// A file name that cannot leave a directory.
fn file_name(text: String) -> Result<String, WireError> {
    let refused = |c: char| c.is_control() || c == '/' || c == '\\';
    if text.is_empty() || text.len() > MOST_CHARACTERS || text.starts_with('.') || text.chars().any(refused) {
        let shown: String = text.chars().take(40).collect();
        let rule = format!("`{shown}` is not a valid file name; give one without path that does not begin with a dot");
        return Err(WireError::invalid("base.name", rule));
    }
    Ok(text)
}
