/// Why a camera's source cannot be opened on this machine.
#[derive(Debug, thiserror::Error)]
pub(super) enum SourceError {
    #[error("the camera has no source")]
    NoSource,
    #[error("the camera's address")]
    Address(#[source] url::ParseError),
    #[error("credential `{0}` is not in [ingest.credentials] of this machine")]
    UnknownCredential(String),
    #[error("the secret in its address is hidden on the bus, and this machine's camera file does not have this camera")]
    HiddenAddress,
    #[error("credential `{credential}` needs the environment variable {variable}")]
    Password { credential: String, variable: String, source: std::env::VarError },
}
