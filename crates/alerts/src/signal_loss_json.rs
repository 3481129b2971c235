use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_core::SignalLossReason;

use crate::words::SignalLossWords;

/// Why a camera has no signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignalLossJson {
    /// The cause.
    #[schema(value_type = SignalLossWords)]
    pub reason: SignalLossReason,
    /// The cause and the remedy, in English.
    pub text: String,
    /// The same in Chinese.
    pub text_zh: String,
}

impl From<SignalLossReason> for SignalLossJson {
    fn from(reason: SignalLossReason) -> Self {
        Self { reason, text: reason.text().to_owned(), text_zh: reason.text_zh().to_owned() }
    }
}
