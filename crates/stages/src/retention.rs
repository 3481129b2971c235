//! Retention of the alert store.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use vedette_alert_store::{AlertStore, StoreError};
use vedette_core::{RetentionClock, Span, Timestamp};
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::{Service, clock};

const NAME: &str = "retention";
/// Interval between deletions.
const KEEP_EVERY: Duration = Duration::from_secs(600);
/// A clock that is further ahead of the time of retention than this is told: longer than a machine is usually off.
const TOLD_AHEAD: Span = Span::from_secs(7 * 86_400);

/// How long the contents of the store are kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keep {
    pub(crate) alerts: Span,
    pub(crate) near_misses: Span,
}

/// Numbers of deleted entries.
#[derive(Debug, Clone, Copy)]
struct Deleted {
    alerts: u64,
    near_misses: u64,
}

/// How long alerts and near-misses are kept, by a clock that does not believe a jump at once.
pub(crate) struct Retention {
    store: Arc<AlertStore>,
    keep: Keep,
    began: Instant,
    clock: Mutex<Option<RetentionClock>>,
    wall: fn() -> Timestamp,
}

impl Retention {
    /// For the contents of `store`.
    pub(crate) fn new(store: &Arc<AlertStore>, keep: Keep) -> Arc<Self> {
        Self::with_clock(store, keep, clock::now)
    }

    fn with_clock(store: &Arc<AlertStore>, keep: Keep, wall: fn() -> Timestamp) -> Arc<Self> {
        let (store, clock) = (store.clone(), Mutex::default());
        Arc::new(Self { store, keep, began: Instant::now(), clock, wall })
    }

    /// The time by which retention judges what is kept for `keep`, and how far the wall clock is ahead of it. Blocks.
    fn now(&self, keep: Span) -> Result<(Timestamp, Span), StoreError> {
        let steady = Span::from_micros(i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX));
        let wall = (self.wall)();
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        let clock = match &mut *clock {
            Some(clock) => clock,
            none => none.insert(RetentionClock::new(self.store.latest_known()?, wall, steady)),
        };
        let now = clock.now(wall, steady, keep);
        Ok((now, wall.since(now)))
    }

    /// Alerts that were over before this time are not kept. Blocks.
    pub(crate) fn expired(&self) -> Result<Timestamp, StoreError> {
        Ok(self.now(self.keep.alerts)?.0 - self.keep.alerts)
    }

    /// Near-misses that were over before this time are not kept. Blocks.
    pub(crate) fn near_misses_expired(&self) -> Result<Timestamp, StoreError> {
        Ok(self.now(self.keep.near_misses)?.0 - self.keep.near_misses)
    }

    /// Deletes what has expired, also sessions of people and drafts that nobody uses; returns how much, and how far the clock is ahead. Blocks.
    fn sweep(&self) -> Result<(Deleted, Span), StoreError> {
        let (now, ahead) = self.now(self.keep.alerts)?;
        self.store.set_latest_known(now)?;
        let alerts = self.store.delete_older_than(now - self.keep.alerts)?;
        let near_misses = self.store.delete_near_misses_before(self.near_misses_expired()?)?;
        self.store.drop_ended_sessions(now)?;
        self.store.drop_unused_drafts(now)?;
        Ok((Deleted { alerts, near_misses }, ahead))
    }

    /// The service that deletes expired alerts and near-misses.
    pub(crate) fn service(self: Arc<Self>, health: &Health) -> Service {
        let health = health.clone();
        Service::new(NAME, move |stop| self.clone().run(health.clone(), stop))
    }

    async fn run(self: Arc<Self>, health: Health, stop: CancellationToken) -> crate::Result<()> {
        let mut tick = tokio::time::interval(KEEP_EVERY);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            let retention = self.clone();
            match tokio::task::spawn_blocking(move || retention.sweep()).await? {
                Ok((Deleted { alerts, near_misses }, ahead)) => {
                    if alerts + near_misses > 0 {
                        tracing::info!(alerts, near_misses, "alerts and near-misses past their retention deleted");
                    }
                    tell(&health, ahead);
                }
                Err(error) => {
                    tracing::error!(%error, "alerts or near-misses past their retention could not be deleted");
                    let detail = format!("alerts or near-misses past their retention not deleted: {error}");
                    health.set(NAME, Condition::Degraded, detail);
                }
            }
        }
        Ok(())
    }
}

fn tell(health: &Health, ahead: Span) {
    if ahead <= TOLD_AHEAD {
        return health.set(NAME, Condition::Running, "");
    }
    let detail = "the clock is ahead of the newest alerts: the machine was off, or the clock is wrong; alerts expire by it only \
                  after it has stood so for a day";
    tracing::warn!(%ahead, "{detail}");
    health.set(NAME, Condition::Degraded, detail);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use super::*;

    const YEAR: i64 = 365 * 86_400;

    fn in_sixty_years() -> Timestamp {
        clock::now() + Span::from_secs(60 * YEAR)
    }

    #[test]
    fn a_clock_that_jumped_over_a_restart_expires_nothing_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(AlertStore::open(&folder.path().join("alerts.sqlite")).unwrap());
        let days = |days: i64| Span::from_secs(days * 86_400);
        let keep = Keep { alerts: days(30), near_misses: days(7) };
        let now = clock::now();
        Retention::new(&store, keep).sweep().unwrap();
        let jumped = Retention::with_clock(&store, keep, in_sixty_years);
        let (_, ahead) = jumped.sweep().unwrap();
        assert!(ahead > Span::from_secs(59 * YEAR), "{ahead}");
        assert!(jumped.expired().unwrap() < now, "nothing of today has expired");
        // Set right, it is believed.
        let right = Retention::new(&store, keep);
        let (_, ahead) = right.sweep().unwrap();
        assert!(ahead < Span::from_secs(YEAR), "{ahead}");
        assert!(right.expired().unwrap() >= now - keep.alerts - Span::from_secs(1));
        let expired = right.near_misses_expired().unwrap();
        assert!((now - keep.near_misses - Span::from_secs(1)..=clock::now()).contains(&expired), "{expired}");
    }
}
