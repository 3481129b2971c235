//! Supervises the tasks of a process. Every task that lives as long as the process is started here, so that none ends
//! unnoticed; the effect of its error is declared for its kind.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use vedette_core::Backoff;

use crate::clock;
use crate::health::{Condition, Health};
use crate::metrics;

/// The long-lived tasks of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// Camera intake.
    Ingest,
    /// Detections of other producers.
    Adopt,
    /// Decoding and detection.
    Detect,
    /// Tracks, rules, places.
    Analyse,
    /// Writing alerts from the bus into the store.
    AlertSink,
    /// Delivering alerts to a destination, by the name of its stage.
    Sink(&'static str),
    /// The page and the API.
    Console,
    /// Health and metrics of the process.
    Operations,
    /// Follows the topic `cameras`.
    Cameras,
    /// Follows the topic `policies`.
    Policies,
    /// Follows the topic `addresses`.
    Addresses,
    /// Follows the topic `alerts` for cameras with an open alert.
    OpenAlerts,
    /// Follows the topic `states` for the counts of frames.
    FrameCounts,
    /// Checks whether new frames are analysed.
    Frames,
    /// Checks whether the bus answers.
    Bus,
    /// Checks whether the alert store answers.
    AlertStore,
    /// Deletes alerts past their retention.
    Retention,
    /// Publishes changes of the address base to the embedded bus.
    Inbox,
}

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

impl TaskKind {
    /// The name in logs, metrics and health.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Adopt => "adopt",
            Self::Detect => "detect",
            Self::Analyse => "analyse",
            Self::AlertSink => "alert_sink",
            Self::Sink(stage) => stage,
            Self::Console => "console",
            Self::Operations => "operations",
            Self::Cameras => "cameras",
            Self::Policies => "policies",
            Self::Addresses => "addresses",
            Self::OpenAlerts => "open_alerts",
            Self::FrameCounts => "frame_counts",
            Self::Frames => "frames",
            Self::Bus => "bus",
            Self::AlertStore => "alert_store",
            Self::Retention => "retention",
            Self::Inbox => "inbox",
        }
    }

    /// The effect of this task's error. A port that cannot be bound is a wrong setting; other errors may recover.
    #[must_use]
    pub const fn on_error(self) -> OnError {
        match self {
            Self::Console | Self::Operations => OnError::Shutdown,
            _ => OnError::Restart { at_most: Duration::from_secs(10) },
        }
    }
}

const FIRST_WAIT: Duration = Duration::from_millis(500);
/// A task that ran for this long has recovered: its next failure starts a new back-off.
const RECOVERED_AFTER: Duration = Duration::from_secs(60);

/// The tasks of a process.
pub struct Supervisor {
    health: Health,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Supervisor {
    /// No tasks yet: they report to `health`, and end with `stop`.
    #[must_use]
    pub fn new(health: Health, stop: CancellationToken) -> Self {
        Self { health, stop, tasks: JoinSet::new() }
    }

    /// Runs `task` until it ends well or the process stops; an error has the effect that its kind declares. `task` is
    /// called for each start, with its cancellation token.
    pub fn start<F, Fut>(&mut self, kind: TaskKind, mut task: F)
    where
        F: FnMut(CancellationToken) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (health, stop) = (self.health.clone(), self.stop.clone());
        // Set now, not when it first runs: a process is not ready before.
        health.set(kind.name(), Condition::Starting, "");
        // Two processes that lose the same broker back off differently, even with the same process id on two machines.
        let seed = format!("{}/{}/{}", kind.name(), std::process::id(), clock::now().as_micros());
        self.tasks.spawn(async move { supervise(kind, &seed, &health, &stop, || task(stop.clone())).await });
    }

    /// The same for a task that can be started only once: an error of its kind ends the process.
    pub fn start_once(&mut self, kind: TaskKind, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        debug_assert_eq!(kind.on_error(), OnError::Shutdown, "{kind:?} is started again after an error");
        let mut task = Some(task);
        self.start(kind, move |_| {
            let task = task.take();
            async move {
                match task {
                    Some(task) => task.await,
                    None => Ok(()),
                }
            }
        });
    }

    /// The number of running tasks.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Whether all tasks have ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The outcome of the next task that ends; none once all have.
    pub async fn next_end(&mut self) -> Option<anyhow::Result<()>> {
        let ended = self.tasks.join_next().await?;
        Some(ended.unwrap_or_else(|panic| Err(anyhow::anyhow!("a task panicked: {panic}"))))
    }

    /// Aborts all tasks.
    pub fn abort(&mut self) {
        self.tasks.abort_all();
    }
}

async fn supervise<F, Fut>(
    kind: TaskKind,
    seed: &str,
    health: &Health,
    stop: &CancellationToken,
    mut task: F,
) -> anyhow::Result<()>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let most = match kind.on_error() {
        OnError::Restart { at_most } => at_most,
        OnError::Shutdown => Duration::ZERO,
    };
    let mut backoff = Backoff::new(FIRST_WAIT, most, seed);
    loop {
        health.set(kind.name(), Condition::Starting, "");
        let started = Instant::now();
        // In a task of its own, so that a panic is an error of this task and does not end the process.
        let running = AbortOnDropHandle::new(tokio::spawn(task()));
        let outcome = running.await.unwrap_or_else(|panic| Err(anyhow::anyhow!("panicked: {panic}")));
        let error = match outcome {
            Ok(()) => {
                health.set(kind.name(), Condition::Stopped, "");
                return Ok(());
            }
            Err(error) if stop.is_cancelled() => {
                tracing::warn!(task = kind.name(), error = format!("{error:#}"), "failed while stopping");
                return Ok(());
            }
            Err(error) => error,
        };
        health.set(kind.name(), Condition::Failed, format!("{error:#}"));
        if kind.on_error() == OnError::Shutdown {
            stop.cancel();
            return Err(error.context(format!("{} failed", kind.name())));
        }
        if started.elapsed() >= RECOVERED_AFTER {
            backoff.reset();
        }
        let wait = backoff.next_wait();
        metrics::STAGE_RESTARTS.with([kind.name()]).increment(1);
        tracing::error!(task = kind.name(), error = format!("{error:#}"), ?wait, "task failed; starting again");
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Starts `task` with `seed`, which fails after each of `runs`, and returns the back-off waits.
    async fn waits(seed: &str, runs: &[u64]) -> Vec<Duration> {
        let (stop, starts) = (CancellationToken::new(), Arc::new(Mutex::new(Vec::new())));
        let began = Instant::now();
        supervise(TaskKind::Analyse, seed, &Health::default(), &stop, || {
            let mut starts = starts.lock().unwrap();
            let run = runs.get(starts.len()).copied();
            starts.push(began.elapsed());
            async move {
                let Some(run) = run else { return Ok(()) };
                tokio::time::sleep(Duration::from_secs(run)).await;
                anyhow::bail!("broken")
            }
        })
        .await
        .unwrap();
        let starts = starts.lock().unwrap();
        (1..starts.len()).map(|at| starts[at] - starts[at - 1] - Duration::from_secs(runs[at - 1])).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_and_are_short_again_after_a_healthy_run() {
        let waits = waits("a", &[0, 0, 0, 0, 0, 0, 0, 120, 0]).await;
        assert!(waits[6] >= Duration::from_millis(7_500) && waits[6] <= Duration::from_secs(10), "{waits:?}");
        assert!(waits[7] <= FIRST_WAIT, "a run of two minutes had recovered: {waits:?}");
        assert!(waits[8] > waits[7], "{waits:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn processes_that_fail_together_do_not_start_together() {
        assert_ne!(waits("a", &[0, 0, 0]).await, waits("b", &[0, 0, 0]).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_panic_is_a_failure_that_health_tells_and_the_task_comes_back() {
        let (health, stop) = (Health::default(), CancellationToken::new());
        let mut supervisor = Supervisor::new(health.clone(), stop.clone());
        let (mut starts, running) = (0, health.clone());
        supervisor.start(TaskKind::Policies, move |stop| {
            starts += 1;
            let (first, health) = (starts == 1, running.clone());
            async move {
                assert!(!first, "the first start panics");
                health.set(TaskKind::Policies.name(), Condition::Running, "");
                stop.cancelled().await;
                Ok(())
            }
        });
        let condition = || health.snapshot().get("policies").map(|stage| stage.condition);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(condition(), Some(Condition::Failed));
        assert!(!health.ready());
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(condition(), Some(Condition::Running));
        stop.cancel();
        assert!(supervisor.next_end().await.unwrap().is_ok());
        assert_eq!((condition(), supervisor.len()), (Some(Condition::Stopped), 0));
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_of_the_console_ends_the_process() {
        let stop = CancellationToken::new();
        let mut supervisor = Supervisor::new(Health::default(), stop.clone());
        supervisor.start_once(TaskKind::Console, async { anyhow::bail!("the port is gone") });
        let error = supervisor.next_end().await.unwrap().unwrap_err();
        assert!(format!("{error:#}").contains("console failed: the port is gone"), "{error:#}");
        assert!(stop.is_cancelled());
    }
}
