use std::error::Error;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

/// The error of a service's task.
pub type TaskError = Box<dyn Error + Send + Sync>;

/// The effect of a task's error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnError {
    /// It is restarted after a back-off of at most the given wait.
    Restart {
        /// Longest wait.
        at_most: Duration,
    },
    /// The process ends with the error.
    Shutdown,
}

impl OnError {
    /// The usual effect.
    pub const RESTART: Self = Self::Restart { at_most: Duration::from_secs(10) };
}

/// A part of the product that runs as long as the process: its name, its task, and the effect of the task's errors.
pub struct Service {
    name: &'static str,
    on_error: OnError,
    task: Task,
}

type Task = Box<dyn FnMut(CancellationToken) -> BoxFuture<'static, Result<(), TaskError>> + Send>;

impl Service {
    /// A service that is restarted after an error. `task` is called for each start, with the token that ends it. `name` is used
    /// in logs, metrics and health.
    pub fn new<F, Fut, E>(name: &'static str, mut task: F) -> Self
    where
        F: FnMut(CancellationToken) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<TaskError> + 'static,
    {
        let task = move |stop| task(stop).map(|outcome| outcome.map_err(Into::into)).boxed();
        Self { name, on_error: OnError::RESTART, task: Box::new(task) }
    }

    /// A service that can be started only once: an error ends the process.
    pub fn once<Fut, E>(name: &'static str, task: impl FnOnce(CancellationToken) -> Fut + Send + 'static) -> Self
    where
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<TaskError> + 'static,
    {
        let mut task = Some(task);
        let task = move |stop| match task.take() {
            Some(task) => task(stop).map(|outcome| outcome.map_err(Into::into)).boxed(),
            None => std::future::ready(Ok(())).boxed(),
        };
        Self { name, on_error: OnError::Shutdown, task: Box::new(task) }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The effect of its errors.
    #[must_use]
    pub const fn on_error(&self) -> OnError {
        self.on_error
    }

    pub(crate) fn start(&mut self, stop: CancellationToken) -> BoxFuture<'static, Result<(), TaskError>> {
        (self.task)(stop)
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.name).field("on_error", &self.on_error).finish_non_exhaustive()
    }
}

/// An error with its causes, joined by `: `.
pub fn report(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
