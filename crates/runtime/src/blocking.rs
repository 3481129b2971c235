//! Runs blocking work of stages that also run under simulation (a database): on a thread of its own in production, inline under
//! simulation.

use tracing::Span;

/// Where blocking work runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocking {
    /// On dedicated threads, so that it holds nothing else up.
    Apart,
    /// Inline: under simulation nothing may happen at an instant that another thread chooses.
    InPlace,
}

impl Blocking {
    /// Runs `work`, in the current span, and gives its result.
    ///
    /// # Errors
    /// When it panicked on its thread.
    pub async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Panicked> {
        match self {
            Self::Apart => {
                let span = Span::current();
                match tokio::task::spawn_blocking(move || span.in_scope(work)).await {
                    Ok(done) => Ok(done),
                    Err(error) if error.is_panic() => Err(Panicked(error.to_string())),
                    // The runtime is shutting down and takes no more work; so is the waiter.
                    Err(_) => std::future::pending().await,
                }
            }
            Self::InPlace => Ok(work()),
        }
    }
}

/// Blocking work panicked.
#[derive(Debug, thiserror::Error)]
#[error("blocking work failed: {0}")]
pub struct Panicked(pub String);
