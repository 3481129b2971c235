/// Why a record could not be read.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WireError {
    /// The bytes are not protobuf, or not this message.
    #[error("these bytes are no {message}: {cause}")]
    Unparsable {
        /// Expected message.
        message: &'static str,
        /// The parser's message.
        cause: String,
    },
    /// A field breaks a rule.
    #[error("field `{field}`: {rule}")]
    Invalid {
        /// Path of the field.
        field: &'static str,
        /// The rule, with the value where it helps.
        rule: String,
    },
}

impl WireError {
    pub(crate) fn invalid(field: &'static str, rule: impl std::fmt::Display) -> Self {
        Self::Invalid { field, rule: rule.to_string() }
    }

    pub(crate) fn missing(field: &'static str) -> Self {
        Self::Invalid { field, rule: "it is missing".to_owned() }
    }
}

/// Parses one message.
pub(crate) fn parse<M: prost::Message + Default>(message: &'static str, bytes: bytes::Bytes) -> Result<M, WireError> {
    M::decode(bytes).map_err(|cause| WireError::Unparsable { message, cause: cause.to_string() })
}
