//! Keeps stages running: what an error does is declared for each kind of task, not decided where it happens.

use std::future::Future;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::health::{Condition, Health};

/// The tasks of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TaskKind {
    /// Camera intake.
    Ingest,
    /// Detections of other producers.
    Adopt,
    /// Decoding and detection.
    Detect,
    /// Tracks, rules, places.
    Analyse,
    /// Taking alerts from the bus into the store.
    AlertSink,
    /// The page and the API.
    Console,
}

/// What an error of a task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnError {
    /// It is started again after a wait that grows up to the given one.
    Restart {
        /// Longest wait.
        at_most: Duration,
    },
    /// The process ends with the error.
    Shutdown,
}

impl TaskKind {
    /// The name in logs, metrics and health.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Adopt => "adopt",
            Self::Detect => "detect",
            Self::Analyse => "analyse",
            Self::AlertSink => "alert_sink",
            Self::Console => "console",
        }
    }

    /// What an error of this task does. A page that cannot be served is a wrong setting; the rest may heal.
    #[must_use]
    pub(crate) const fn on_error(self) -> OnError {
        match self {
            Self::Console => OnError::Shutdown,
            _ => OnError::Restart { at_most: Duration::from_secs(10) },
        }
    }
}

const FIRST_WAIT: Duration = Duration::from_millis(500);

/// Runs `task` until it ends well or `stop`, as its kind says.
///
/// # Errors
/// The error of a task whose errors shut the process down.
pub(crate) async fn supervise<F, Fut>(
    kind: TaskKind,
    health: Health,
    stop: CancellationToken,
    mut task: F,
) -> anyhow::Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let mut wait = FIRST_WAIT;
    loop {
        // In a task of its own, so that a panic is an error of that stage and not the end of the process.
        let outcome = tokio::spawn(task()).await.unwrap_or_else(|panic| Err(anyhow::anyhow!("panicked: {panic}")));
        let error = match outcome {
            Ok(()) => {
                health.set(kind.name(), Condition::Stopped, "");
                return Ok(());
            }
            Err(error) if stop.is_cancelled() => {
                tracing::warn!(stage = kind.name(), error = format!("{error:#}"), "failed while stopping");
                return Ok(());
            }
            Err(error) => error,
        };
        let OnError::Restart { at_most } = kind.on_error() else {
            health.set(kind.name(), Condition::Failed, format!("{error:#}"));
            stop.cancel();
            return Err(error.context(format!("{} failed", kind.name())));
        };
        metrics::counter!("vedette_stage_restarts_total", "stage" => kind.name()).increment(1);
        tracing::error!(stage = kind.name(), error = format!("{error:#}"), ?wait, "stage failed; starting again");
        health.set(kind.name(), Condition::Failed, format!("{error:#}"));
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
        wait = (wait * 2).min(at_most);
    }
}
