//! Fills the alert store up again when it is behind the bus: it was lost, emptied, or replaced by an older copy, while the commit of
//! the consumer group stayed. The records it lacks are read beside those that arrive; storing one twice has no effect.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use vedette_alert_store::{AlertStore, Progress, RecordPosition, StoreError};
use vedette_bus::{BusError, SharedBus, StartAt};
use vedette_core::{Alert, Timestamp};
use vedette_runtime::blocking::{Blocking, Panicked};
use vedette_runtime::health::{Condition, Health};
use vedette_topics::{During, topics};

use crate::error::StageError;
use crate::metrics;

/// Its name in health.
const NAME: &str = "alert_refill";
/// Alerts of one transaction.
const BATCH: usize = 64;
/// The operation of an error that stands for a panic.
const PANICKED: &str = "filling up the alert store";
/// How long the bus may be silent before it is asked whether there is more to read.
const QUIET: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Clone)]
pub(crate) struct Refill {
    pub(crate) bus: SharedBus,
    pub(crate) store: Arc<AlertStore>,
    pub(crate) blocking: Blocking,
    pub(crate) health: Health,
}

impl Refill {
    /// Compares the store with the commits of `group`, which must not have joined yet, and notes in the store what it lacks; returns
    /// that by partition.
    pub(crate) async fn look(&self, group: &str) -> crate::Result<BTreeMap<u32, Range<u64>>> {
        let topic = topics::ALERTS.name();
        let doing = "comparing the alert store with `alerts`";
        let committed: BTreeMap<u32, u64> = self.bus.committed(group, topic).await.during(doing)?.into_iter().collect();
        let marks = self.bus.watermarks(topic).await.during(doing)?;
        let stored = self.blocking(|store| store.progress()).await?;
        let mut lacking = BTreeMap::new();
        for mark in marks {
            let known = stored.iter().find(|progress| progress.partition == mark.partition);
            let commit = committed.get(&mark.partition).copied();
            let Some(wanted) = wanted(mark.partition, known, commit, mark.low..mark.high) else { continue };
            if Some(&wanted) != known {
                tell(known, &wanted);
                let noted = wanted.clone();
                self.blocking(move |store| store.set_progress(&noted)).await?;
            }
            if let Some(missing) = wanted.missing {
                lacking.insert(mark.partition, missing);
            }
        }
        self.say(&lacking);
        Ok(lacking)
    }

    /// Reads what the store lacks, except for alerts that were over before `expired`.
    pub(crate) async fn run(&self, mut lacking: BTreeMap<u32, Range<u64>>, expired: Timestamp) -> crate::Result<()> {
        let mut came_back = 0;
        while let Some((partition, missing)) = lacking.first_key_value() {
            let (partition, missing) = (*partition, missing.clone());
            let start = StartAt::Offsets(vec![(partition, missing.start)]);
            let mut reader = self.bus.read(topics::ALERTS.name(), start).await.during("reading `alerts` again")?;
            let mut next = missing.start;
            while next < missing.end {
                let mut alerts = Vec::new();
                while alerts.len() < BATCH && next < missing.end {
                    match tokio::time::timeout(QUIET, reader.next()).await {
                        Ok(Ok(record)) => {
                            next = record.position.offset + 1;
                            // One that cannot be read was dead-lettered the first time.
                            if record.position.offset < missing.end
                                && let Ok(alert) = topics::ALERTS.read(&record)
                                && alert.ended.unwrap_or(alert.raised) >= expired
                            {
                                alerts.push((alert, record.position.offset));
                            }
                        }
                        Ok(Err(error @ BusError::Unreachable { .. })) => {
                            tracing::warn!(%error, "filling up the alert store is blocked: the bus is unreachable");
                        }
                        Ok(Err(error)) => return Err(error).during("reading `alerts` again").map_err(Into::into),
                        Err(_) if self.is_read(partition, missing.end).await? => next = missing.end,
                        Err(_) => {}
                    }
                }
                came_back += self.keep(partition, alerts, next).await?;
                lacking.insert(partition, next.min(missing.end)..missing.end);
                self.say(&lacking);
            }
            lacking.remove(&partition);
        }
        self.say(&lacking);
        if came_back > 0 {
            tracing::info!(alerts = came_back, "the alert store has caught up with `alerts`");
        }
        Ok(())
    }

    /// Whether nothing before `end` is left to read, although the last record was not seen: it was deleted, or is damaged.
    async fn is_read(&self, partition: u32, end: u64) -> crate::Result<bool> {
        Ok(self.bus.fetch(topics::ALERTS.name(), partition, end - 1).await?.is_none())
    }

    /// Stores the alerts; those that the store can never take are left out, as they were the first time.
    async fn keep(&self, partition: u32, alerts: Vec<(Alert, u64)>, next: u64) -> crate::Result<u64> {
        let all = alerts.clone();
        let outcomes = match self.try_blocking(move |store| store.refill(partition, &all, next)).await? {
            Ok(outcomes) => outcomes,
            Err(error) if is_about_an_alert(&error) => {
                let mut outcomes = Vec::new();
                for (alert, offset) in alerts {
                    let at = RecordPosition { partition, offset };
                    match self.try_blocking(move |store| store.upsert(&alert, Some(at))).await? {
                        Ok(outcome) => outcomes.push(outcome),
                        Err(error) if is_about_an_alert(&error) => {}
                        Err(error) => return Err(StageError::Store(error)),
                    }
                }
                self.blocking(move |store| store.refill(partition, &[], next)).await?;
                outcomes
            }
            Err(error) => return Err(StageError::Store(error)),
        };
        let changed = outcomes.iter().filter(|outcome| outcome.changed()).count() as u64;
        metrics::ALERTS_REFILLED.get().increment(changed);
        Ok(changed)
    }

    fn say(&self, lacking: &BTreeMap<u32, Range<u64>>) {
        let records: u64 = lacking.values().map(|missing| missing.end.saturating_sub(missing.start)).sum();
        metrics::ALERT_STORE_BEHIND.get().set(records as f64);
        let (condition, detail) = match records {
            0 => (Condition::Running, String::new()),
            _ => (
                Condition::Degraded,
                format!("catching up: {records} records of `alerts` are read again, which the alert store lacks"),
            ),
        };
        self.health.set(NAME, condition, detail);
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AlertStore) -> Result<T, StoreError> + Send + 'static,
    ) -> crate::Result<T> {
        self.try_blocking(work).await?.map_err(StageError::Store)
    }

    /// A panic counts as an alert that cannot be stored.
    async fn try_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&AlertStore) -> Result<T, StoreError> + Send + 'static,
    ) -> crate::Result<Result<T, StoreError>> {
        let store = self.store.clone();
        let done = self.blocking.run(move || work(&store)).await;
        Ok(done.unwrap_or_else(|Panicked(cause)| Err(StoreError::Damaged { doing: PANICKED, cause })))
    }
}

fn is_about_an_alert(error: &StoreError) -> bool {
    error.is_about_the_content() || matches!(error, StoreError::Damaged { doing: PANICKED, .. })
}

/// The position that the store should have in a partition with the records `kept`, and what it lacks up to there; none when it has
/// seen nothing and nothing was ever committed.
fn wanted(partition: u32, known: Option<&Progress>, commit: Option<u64>, kept: Range<u64>) -> Option<Progress> {
    let commit = commit.map(|commit| commit.min(kept.end));
    let next = known.map_or(0, |known| known.next);
    if next > kept.end {
        // The topic begins anew, so its positions have another meaning.
        return Some(Progress { partition, next: commit.unwrap_or(kept.start), missing: None });
    }
    let behind = commit.filter(|commit| next < *commit).map(|commit| next..commit);
    let before = known.and_then(|known| known.missing.clone());
    let missing = match (before, behind) {
        (Some(before), Some(behind)) => Some(before.start..behind.end),
        (before, behind) => before.or(behind),
    };
    let missing = missing.map(|missing| missing.start.max(kept.start)..missing.end.min(kept.end));
    let missing = missing.filter(|missing| !missing.is_empty());
    let next = next.max(commit.unwrap_or(0));
    (known.is_some() || missing.is_some()).then_some(Progress { partition, next, missing })
}

fn tell(known: Option<&Progress>, wanted: &Progress) {
    let Progress { partition, next, missing } = wanted;
    match (known, missing) {
        (None, Some(missing)) => tracing::warn!(
            partition,
            from = missing.start,
            to = missing.end,
            "the alert store has no position in `alerts`: it is new, was lost, or is of an earlier version; its alerts are read again"
        ),
        (Some(known), Some(missing)) => tracing::warn!(
            partition,
            stored = known.next,
            committed = next,
            from = missing.start,
            to = missing.end,
            "the alert store is behind `alerts`: it was damaged, or is an older copy; what it lacks is read again"
        ),
        (Some(known), None) if known.next > *next => tracing::warn!(
            partition,
            stored = known.next,
            next,
            "`alerts` ends before the position of the alert store: the topic begins anew; the store keeps what it has"
        ),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(next: u64, missing: Option<Range<u64>>) -> Progress {
        Progress { partition: 3, next, missing }
    }

    fn of(known: Option<&Progress>, commit: Option<u64>, kept: Range<u64>) -> Option<(u64, Option<Range<u64>>)> {
        wanted(3, known, commit, kept).map(|progress| (progress.next, progress.missing))
    }

    #[test]
    fn what_lies_between_the_store_and_the_commit_is_lacking() {
        assert_eq!(of(None, None, 0..0), None, "nothing was ever read");
        assert_eq!(of(None, None, 0..9), None, "the group reads it");
        assert_eq!(of(None, Some(87), 0..90), Some((87, Some(0..87))), "lost");
        assert_eq!(of(None, Some(87), 40..90), Some((87, Some(40..87))), "lost, and some expired");
        assert_eq!(of(None, Some(87), 87..87), None, "lost, and all expired");
        assert_eq!(of(Some(&known(87, None)), Some(87), 0..90), Some((87, None)));
        assert_eq!(of(Some(&known(87, None)), Some(80), 0..90), Some((87, None)), "the commit is late");
        assert_eq!(of(Some(&known(80, None)), Some(87), 0..90), Some((87, Some(80..87))), "older");
        assert_eq!(of(Some(&known(80, Some(10..40))), Some(80), 0..90), Some((80, Some(10..40))), "unfinished");
        assert_eq!(of(Some(&known(80, Some(10..40))), Some(87), 20..90), Some((87, Some(20..87))));
        assert_eq!(of(Some(&known(87, None)), None, 0..20), Some((0, None)), "the topic is new");
        assert_eq!(of(Some(&known(87, Some(1..9))), Some(5), 0..20), Some((5, None)));
    }
}
