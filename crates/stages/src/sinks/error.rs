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
    /// The secret is not of the form that the kind of sink requires.
    #[error("sink {sink}: {variable}: {rule}")]
    Secret {
        /// The sink.
        sink: String,
        /// The variable.
        variable: String,
        /// The violated rule.
        rule: String,
    },
    /// Another reason, which the kind of sink defines.
    #[error(transparent)]
    Kind(Box<dyn std::error::Error + Send + Sync>),
}
