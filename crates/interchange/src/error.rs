/// Why a message was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The bytes are not in the format.
    #[error("not {format}: {cause}")]
    Unparsable {
        /// The format's name.
        format: &'static str,
        /// The parser's message.
        cause: String,
    },
    /// A value breaks a rule.
    #[error("`{field}`: {rule}")]
    Invalid {
        /// The field, by the format's name.
        field: &'static str,
        /// The rule, with the value where it helps, and the remedy where there is one.
        rule: String,
    },
}

impl ReadError {
    pub(crate) fn unparsable(format: &'static str, cause: impl std::fmt::Display) -> Self {
        Self::Unparsable { format, cause: cause.to_string() }
    }

    pub(crate) fn invalid(field: &'static str, rule: impl std::fmt::Display) -> Self {
        Self::Invalid { field, rule: rule.to_string() }
    }
}
