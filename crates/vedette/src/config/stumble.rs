use toml::Value;

use super::location::{Keys, set};

/// The position and message of an error of serde.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stumble {
    pub(super) keys: Keys,
    pub(super) message: String,
}

impl Stumble {
    pub(super) fn missing_field(&self) -> Option<&str> {
        self.message.strip_prefix("missing field `")?.split('`').next()
    }

    pub(super) fn unknown_field(&self) -> Option<&str> {
        self.message.strip_prefix("unknown field `")?.split('`').next()
    }
}

/// `value` with `filling` at `keys`.
pub(super) fn place(value: &Value, keys: &Keys, filling: Value) -> Option<Value> {
    let mut value = value.clone();
    set(&mut value, keys, filling).then_some(value)
}
