use vedette_core::{KeyId, SignalLossReason};
use vedette_sealing::{KeyFileError, OpenError};

/// Why a camera's source cannot be opened on this machine.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("the camera has no source")]
    NoSource,
    #[error("the camera's address")]
    Address(#[source] url::ParseError),
    #[error("the camera's address is not rtsp://HOST/PATH")]
    NoEndpoint,
    #[error("credential `{0}` is not in [ingest.credentials] of this machine")]
    UnknownCredential(String),
    #[error("the secret in its address is hidden on the bus, and this machine's camera file does not have this camera")]
    HiddenAddress,
    #[error("credential `{credential}` needs the environment variable {variable}")]
    Password { credential: String, variable: String, source: std::env::VarError },
    #[error(
        "its password is sealed with key {0}, and this machine has no `ingest.key_file`; name the file with that key there"
    )]
    NoKeyFile(KeyId),
    #[error("its password is sealed with key {key}")]
    Keys { key: KeyId, source: KeyFileError },
    #[error(transparent)]
    Sealed(#[from] OpenError),
}

impl SourceError {
    /// What the camera's rules and the API are told.
    pub(super) const fn reason(&self) -> SignalLossReason {
        match self {
            Self::NoKeyFile(_) | Self::Keys { .. } | Self::Sealed(_) => SignalLossReason::PasswordUnopened,
            _ => SignalLossReason::SourceUnavailable,
        }
    }
}
