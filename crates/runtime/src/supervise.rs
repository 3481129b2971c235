//! Supervises the services of a process. Every task that lives as long as the process is started here, so that none ends
//! unnoticed.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use vedette_core::Backoff;

use crate::clock;
use crate::health::{Condition, Health};
use crate::metrics;
use crate::service::{OnError, Service, TaskError, report};

/// The error of a task that ended the process.
#[derive(Debug, thiserror::Error)]
#[error("{task} failed")]
pub struct TaskFailed {
    /// Its name.
    pub task: &'static str,
    source: TaskError,
}

const FIRST_WAIT: Duration = Duration::from_millis(500);
/// A task that ran for this long has recovered: its next failure starts a new back-off.
const RECOVERED_AFTER: Duration = Duration::from_secs(60);

/// The services of a process.
pub struct Supervisor {
    health: Health,
    stop: CancellationToken,
    tasks: JoinSet<Result<(), TaskFailed>>,
}

impl Supervisor {
    /// No services yet: they report to `health`, and end with `stop`.
    #[must_use]
    pub fn new(health: Health, stop: CancellationToken) -> Self {
        Self { health, stop, tasks: JoinSet::new() }
    }

    /// Runs a service until it ends well or the process stops; an error has the effect that the service declares.
    pub fn start(&mut self, service: Service) {
        let (health, stop) = (self.health.clone(), self.stop.clone());
        // Set now, not when it first runs: a process is not ready before.
        health.set(service.name(), Condition::Starting, "");
        // Two processes that lose the same broker back off differently, even with the same process id on two machines.
        let seed = format!("{}/{}/{}", service.name(), std::process::id(), clock::now().as_micros());
        self.tasks.spawn(async move { supervise(service, &seed, &health, &stop).await });
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
    pub async fn next_end(&mut self) -> Option<Result<(), TaskFailed>> {
        let ended = self.tasks.join_next().await?;
        Some(ended.unwrap_or_else(|panic| Err(TaskFailed { task: "the supervisor", source: panic.into() })))
    }

    /// Aborts all tasks.
    pub fn abort(&mut self) {
        self.tasks.abort_all();
    }
}

async fn supervise(
    mut service: Service,
    seed: &str,
    health: &Health,
    stop: &CancellationToken,
) -> Result<(), TaskFailed> {
    let task = service.name();
    let most = match service.on_error() {
        OnError::Restart { at_most } => at_most,
        OnError::Shutdown => Duration::ZERO,
    };
    let mut backoff = Backoff::new(FIRST_WAIT, most, seed);
    loop {
        health.set(task, Condition::Starting, "");
        let started = Instant::now();
        // In a task of its own, so that a panic is an error of this task and does not end the process.
        let running = AbortOnDropHandle::new(tokio::spawn(service.start(stop.clone())));
        let error = match running.await.unwrap_or_else(|panic| Err(panic.into())) {
            Ok(()) => {
                health.set(task, Condition::Stopped, "");
                return Ok(());
            }
            Err(error) if stop.is_cancelled() => {
                tracing::warn!(task, error = report(&*error), "failed while stopping");
                return Ok(());
            }
            Err(error) => error,
        };
        let cause = report(&*error);
        health.set(task, Condition::Failed, cause.as_str());
        if service.on_error() == OnError::Shutdown {
            stop.cancel();
            return Err(TaskFailed { task, source: error });
        }
        if started.elapsed() >= RECOVERED_AFTER {
            backoff.reset();
        }
        let wait = backoff.next_wait();
        metrics::STAGE_RESTARTS.with([task]).increment(1);
        tracing::error!(task, error = cause, ?wait, "task failed; restarting");
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
        let (began, runs_of, started) = (Instant::now(), runs.to_vec(), starts.clone());
        let service = Service::new("analyse", move |_| {
            let mut starts = started.lock().unwrap();
            let run = runs_of.get(starts.len()).copied();
            starts.push(began.elapsed());
            async move {
                let Some(run) = run else { return Ok(()) };
                tokio::time::sleep(Duration::from_secs(run)).await;
                Err("broken")
            }
        });
        supervise(service, seed, &Health::default(), &stop).await.unwrap();
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
        supervisor.start(Service::new("policies", move |stop| {
            starts += 1;
            let (first, health) = (starts == 1, running.clone());
            async move {
                assert!(!first, "the first start panics");
                health.set("policies", Condition::Running, "");
                stop.cancelled().await;
                Ok::<_, TaskError>(())
            }
        }));
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
        supervisor.start(Service::once("console", async |_| Err("the port is gone")));
        let error = supervisor.next_end().await.unwrap().unwrap_err();
        assert_eq!(report(&error), "console failed: the port is gone");
        assert!(stop.is_cancelled());
    }
}
