/// Why a sink cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The environment variable of its secret is not set.
    #[error("sink {sink}: set the environment variable {variable} to the secret of the receiver")]
    NoSecret {
        /// The sink.
        sink: String,
        /// The variable.
        variable: String,
        /// The reason.
        source: std::env::VarError,
    },
    /// The secret is no secret of Standard Webhooks.
    #[error("sink {sink}: {variable}: {rule}")]
    Secret {
        /// The sink.
        sink: String,
        /// The variable.
        variable: String,
        /// The violated rule.
        rule: String,
    },
    /// The HTTP client could not be made.
    #[error("creating the HTTP client")]
    Client(#[from] reqwest::Error),
    /// The address is no URL.
    #[error("the receiver's address")]
    Address(#[from] url::ParseError),
}
