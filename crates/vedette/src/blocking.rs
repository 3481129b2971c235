//! Where a stage that also runs under simulation does what blocks (a database). What never runs there asks tokio for a thread.

use anyhow::Context;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocking {
    /// On threads made for it, so that it holds nothing else up.
    Apart,
    /// Where it is asked for: under simulation nothing may happen at a moment that another thread chooses.
    InPlace,
}

impl Blocking {
    /// Does `work` and gives what it came to.
    ///
    /// # Errors
    /// When it panicked on its thread.
    pub async fn run<T: Send + 'static>(self, work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
        match self {
            Self::Apart => tokio::task::spawn_blocking(work).await.context("work on a thread of its own"),
            Self::InPlace => Ok(work()),
        }
    }
}
