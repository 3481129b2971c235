use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::setpriority_process;
use tokio::sync::{Semaphore, oneshot};

/// Questions that wait for a thread; further ones are refused.
const MOST_WAITING: usize = 64;
/// How long a question waits.
const PATIENCE: Duration = Duration::from_secs(60);
/// The lowest priority.
const NICEST: i32 = 19;

/// Why there is no answer.
pub(super) enum NoThread {
    /// Too many others wait, or have waited for too long.
    Busy,
    /// The thread ended without an answer, or could not be started.
    Failed(String),
}

/// Threads for trials: few, and of the lowest priority, so that the analysis never waits for them.
pub(super) struct Threads {
    running: Arc<Semaphore>,
    waiting: Semaphore,
}

/// Tells a thread that nobody waits for its answer any more, when it is dropped.
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Set when the answer is no longer wanted.
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Threads {
    pub(super) fn new(threads: usize) -> Self {
        Self { running: Arc::new(Semaphore::new(threads)), waiting: Semaphore::new(MOST_WAITING) }
    }

    /// Runs `work` on a thread of its own when it is its turn. It is to end soon after the flag is set that it is given; that happens
    /// when what this returns, or the future, is dropped.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Arc<AtomicBool>) -> T + Send + 'static,
    ) -> Result<(T, Stop), NoThread> {
        let (sender, receiver) = oneshot::channel();
        let stop = self
            .start(move |stop| {
                // The one who asked may be gone.
                let _ = sender.send(work(stop));
            })
            .await?;
        let answer = receiver.await.map_err(|_| NoThread::Failed("it ended without an answer".to_owned()))?;
        Ok((answer, stop))
    }

    /// The same without waiting for its end.
    pub(super) async fn start(&self, work: impl FnOnce(Arc<AtomicBool>) + Send + 'static) -> Result<Stop, NoThread> {
        let _waiting = self.waiting.try_acquire().map_err(|_| NoThread::Busy)?;
        let turn = tokio::time::timeout(PATIENCE, self.running.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else { return Err(NoThread::Busy) };
        let stop = Stop(Arc::default());
        let flag = stop.flag();
        let run = move || {
            // Of this thread only.
            if let Err(error) = setpriority_process(None, NICEST) {
                tracing::debug!(%error, "a trial runs with the usual priority");
            }
            work(flag);
            drop(turn);
        };
        let thread = std::thread::Builder::new().name("tuning".to_owned()).spawn(run);
        thread.map_err(|error| NoThread::Failed(format!("no thread can be started: {error}")))?;
        Ok(stop)
    }
}
