//! One process: whether it runs, its faults, and its connection to the cluster.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use super::brokers::{Shared, State};
use super::log::Topic;
use super::settings::Faults;
use super::trace::TraceEvent;
use crate::BusError;

/// How soon after waking a call of a paused process may continue; the order comes from the seed.
const WAKING_MS: u64 = 20;

/// State of a process.
pub(super) struct Process {
    pub(super) name: Arc<str>,
    pub(super) shared: Arc<Shared>,
    inner: Mutex<Inner>,
}

struct Inner {
    mode: Mode,
    faults: Faults,
    rng: fastrand::Rng,
    // Name, partitions and largest record of the requested topics; topics do not change.
    known: BTreeMap<String, (Arc<str>, u32, usize)>,
}

/// Whether a process runs.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Mode {
    Running,
    Silent,
    Crashed,
}

/// The cluster is down.
pub(super) struct Unreachable;

impl Process {
    pub(super) fn new(shared: Arc<Shared>, name: &str, number: u64) -> Self {
        // Spread, so that clients of one cluster, and those of neighbouring seeds, do not resemble each other.
        let seed = shared.seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number.rotate_left(48);
        let inner = Inner {
            mode: Mode::Running,
            faults: Faults::default(),
            rng: fastrand::Rng::with_seed(seed),
            known: BTreeMap::new(),
        };
        Self { name: Arc::from(name), shared, inner: Mutex::new(inner) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_mode(&self, mode: Mode, event: TraceEvent) {
        {
            let mut inner = self.inner();
            // There is no return from a crash.
            if inner.mode == mode || inner.mode == Mode::Crashed {
                return;
            }
            inner.mode = mode;
        }
        self.trace(event);
        self.shared.changed.notify_waiters();
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        self.inner().faults = faults;
    }

    pub(super) fn trace(&self, event: TraceEvent) {
        self.shared.state().trace(&self.shared, &self.name, event);
    }

    /// Returns while the process runs; waits while it is paused; never returns after a crash.
    pub(super) async fn pass(&self) {
        loop {
            let changed = self.shared.changed.notified();
            let mode = self.inner().mode;
            match mode {
                Mode::Running => return,
                Mode::Crashed => std::future::pending().await,
                Mode::Silent => {
                    changed.await;
                    let turn = self.draw(0..=WAKING_MS);
                    sleep(Duration::from_millis(turn)).await;
                }
            }
        }
    }

    /// A random number from the process's own generator.
    pub(super) fn draw(&self, range: impl std::ops::RangeBounds<u64>) -> u64 {
        self.inner().rng.u64(range)
    }

    fn happens(&self, probability: impl Fn(&Faults) -> f64) -> bool {
        let mut inner = self.inner();
        let probability = probability(&inner.faults);
        // Random numbers are drawn only where needed, so that a fault of one kind does not shift those of another.
        probability > 0.0 && inner.rng.f64() < probability
    }

    /// Whether this publish or commit fails without effect.
    pub(super) fn is_refused(&self) -> bool {
        self.happens(|faults| faults.refuse)
    }

    /// Whether this publish or commit is reported as failed though it took effect.
    pub(super) fn loses_response(&self) -> bool {
        self.happens(|faults| faults.lose_answer)
    }

    /// One-way delay.
    pub(super) fn delay(&self) -> Duration {
        let mut inner = self.inner();
        let longest = self.shared.settings.longest_delay + inner.faults.delay;
        Duration::from_millis(inner.rng.u64(0..=u64::try_from(longest.as_millis()).unwrap_or(u64::MAX)))
    }

    pub(super) async fn travel(&self) {
        let delay = self.delay();
        sleep(delay).await;
        self.pass().await;
    }

    /// One request to the cluster and its answer.
    pub(super) async fn request<T>(&self, work: impl FnOnce(&mut State) -> T) -> Result<T, Unreachable> {
        self.pass().await;
        self.travel().await;
        let answer = {
            let mut state = self.shared.state();
            if state.down { Err(Unreachable) } else { Ok(work(&mut state)) }
        };
        self.travel().await;
        answer
    }

    pub(super) fn is_down(&self) -> bool {
        self.shared.state().down
    }

    /// Waits until the cluster is up. Whether it came up before `deadline`.
    pub(super) async fn reach(&self, deadline: Instant) -> bool {
        loop {
            let changed = self.shared.changed.notified();
            if !self.is_down() {
                return true;
            }
            if timeout_at(deadline, changed).await.is_err() {
                return false;
            }
        }
    }

    pub(super) fn unreachable(cause: impl Into<String>) -> BusError {
        BusError::Unreachable { at: "the simulated cluster".to_owned(), cause: cause.into() }
    }

    /// A request that waits for the cluster up to the request timeout.
    pub(super) async fn call<T>(&self, work: impl FnOnce(&mut State) -> Result<T, BusError>) -> Result<T, BusError> {
        self.pass().await;
        let timeout = self.shared.settings.request_timeout;
        let deadline = Instant::now() + timeout;
        if !self.reach(deadline).await {
            self.pass().await;
            return Err(Self::unreachable(format!("no answer within {timeout:?}")));
        }
        if self.happens(|faults| faults.fail_request) {
            self.travel().await;
            return Err(Self::unreachable("the request failed"));
        }
        self.request(work).await.unwrap_or_else(|Unreachable| Err(Self::unreachable("it went away")))
    }

    /// Name, partitions and largest record of a topic.
    pub(super) async fn topic(&self, name: &str) -> Result<(Arc<str>, u32, usize), BusError> {
        if let Some(known) = self.inner().known.get(name) {
            return Ok(known.clone());
        }
        let facts = |topic: &mut Topic| (Arc::clone(&topic.name), topic.partition_count(), topic.max_record_bytes());
        let facts = self.call(|state| state.topic(name).map(facts)).await?;
        self.inner().known.insert(name.to_owned(), facts.clone());
        Ok(facts)
    }
}
