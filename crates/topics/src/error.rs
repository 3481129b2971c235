use vedette_bus::BusError;

/// An error of the bus, with the operation that met it where that is known.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    /// By itself.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// During an operation.
    #[error("{operation}")]
    During {
        /// The operation, for example "reading `states`".
        operation: String,
        /// The error.
        source: BusError,
    },
}

/// Names the operation that met an error of the bus.
pub trait During<T> {
    /// # Errors
    /// The same, with `operation`.
    fn during(self, operation: impl Into<String>) -> Result<T, TopicError>;
}

impl<T> During<T> for Result<T, BusError> {
    fn during(self, operation: impl Into<String>) -> Result<T, TopicError> {
        self.map_err(|source| TopicError::During { operation: operation.into(), source })
    }
}
