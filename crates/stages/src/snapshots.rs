//! Makes the snapshots of alerts: of those that were just stored, and, when none of these waits, of stored ones that have none yet,
//! because a burst was too large or the process ended.

use std::collections::{BTreeSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use vedette_alert_store::{AlertStore, Cursor};
use vedette_core::{Alert, AlertId, Span, Timestamp};
use vedette_runtime::blocking::{Blocking, Panicked};
use vedette_runtime::clock;

use crate::evidence::{BusSnapshots, NoSnapshot};
use crate::metrics;

/// Video is kept for a day at most; older alerts need not be tried.
const LONGEST_VIDEO: Span = Span::from_secs(86_400);
/// Alerts without snapshot that are read at once.
const BATCH: u32 = 32;
/// Alerts that are remembered to get no snapshot.
const MOST_HOPELESS: usize = 100_000;
/// Interval at which stored alerts without snapshot are looked for, whether or not any is known.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// See the module.
pub(crate) struct Making {
    pub(crate) store: Arc<AlertStore>,
    pub(crate) blocking: Blocking,
    /// Takes them; none are taken without it.
    pub(crate) snapshots: Option<Arc<BusSnapshots>>,
    /// Told when an alert was stored that could not wait for its snapshot.
    pub(crate) missed: Arc<Notify>,
}

impl Making {
    /// Until the sender of `alerts` is dropped. After `stop` nothing is made up for.
    pub(crate) async fn run(self, mut alerts: mpsc::Receiver<Arc<Alert>>, stop: CancellationToken) {
        let Some(snapshots) = self.snapshots.clone() else {
            while alerts.recv().await.is_some() {}
            return;
        };
        let mut left = Left { is_due: true, ..Left::default() };
        loop {
            if left.is_due && !stop.is_cancelled() {
                match alerts.try_recv() {
                    Ok(alert) => self.make(&snapshots, &alert, false, &mut left).await,
                    Err(TryRecvError::Disconnected) => return,
                    Err(TryRecvError::Empty) => {
                        if let Some(alert) = left.next(&self).await {
                            self.make(&snapshots, &alert, true, &mut left).await;
                        }
                    }
                }
                continue;
            }
            tokio::select! {
                biased;
                alert = alerts.recv() => match alert {
                    Some(alert) => self.make(&snapshots, &alert, false, &mut left).await,
                    None => return,
                },
                () = self.missed.notified() => left.is_due = true,
                () = tokio::time::sleep(LOOK_EVERY) => left.is_due = true,
            }
        }
    }

    async fn make(&self, snapshots: &BusSnapshots, alert: &Alert, made_up: bool, left: &mut Left) {
        let span = tracing::error_span!("snapshot", camera = %alert.camera, alert = %alert.id);
        if let Err(why) = self.take(snapshots, alert, made_up).instrument(span).await {
            metrics::SNAPSHOTS_MISSING.with([why]).increment(1);
            left.give_up(alert);
        }
    }

    /// An error is one for good, and has been told. What may pass, as the outage of a bus or a store, leaves the alert without
    /// snapshot for now.
    async fn take(&self, snapshots: &BusSnapshots, alert: &Alert, made_up: bool) -> Result<(), &'static str> {
        let Ok(taken) = AssertUnwindSafe(snapshots.take(alert)).catch_unwind().await else {
            tracing::error!("no snapshot: its creation panicked");
            return Err("panic");
        };
        let jpeg = match taken {
            Ok(jpeg) => jpeg,
            Err(error) => {
                tracing::warn!(%error, "no snapshot");
                return match error {
                    NoSnapshot::NoVideo => Err("no_video"),
                    NoSnapshot::Expired => Err("expired"),
                    NoSnapshot::Decode(_) => Err("undecodable"),
                    NoSnapshot::Bus(_) | NoSnapshot::NoCamera => Ok(()),
                };
            }
        };
        let (store, id) = (self.store.clone(), alert.id);
        match self.blocking.run(move || store.put_snapshot(id, &jpeg)).await {
            Ok(Ok(())) if made_up => metrics::SNAPSHOTS_MADE_UP.get().increment(1),
            Ok(Ok(())) => metrics::SNAPSHOTS.get().increment(1),
            Ok(Err(error)) => tracing::error!(%error, "snapshot not stored"),
            Err(Panicked(error)) => tracing::error!(error, "snapshot not stored"),
        }
        Ok(())
    }
}

/// The stored alerts without snapshot that may get one.
#[derive(Default)]
struct Left {
    is_due: bool,
    found: VecDeque<Alert>,
    after: Option<Cursor>,
    /// Those that get none.
    hopeless: BTreeSet<(Timestamp, AlertId)>,
    /// Up to here all count as such.
    given_up: Option<Timestamp>,
}

impl Left {
    /// The next one; when there is none, it is no longer due.
    async fn next(&mut self, making: &Making) -> Option<Alert> {
        loop {
            if let Some(alert) = self.found.pop_front() {
                if self.hopeless.contains(&(alert.raised, alert.id)) {
                    continue;
                }
                return Some(alert);
            }
            let (store, after, oldest) = (making.store.clone(), self.after, self.oldest(clock::now()));
            match making.blocking.run(move || store.without_snapshot(oldest, after, BATCH)).await {
                Ok(Ok(found)) if !found.is_empty() => self.found.extend(found),
                Ok(Ok(_)) => break,
                // The store's own health tells.
                Ok(Err(error)) => {
                    tracing::debug!(%error, "alerts without snapshot cannot be listed");
                    break;
                }
                Err(Panicked(error)) => {
                    tracing::error!(error, "alerts without snapshot cannot be listed");
                    break;
                }
            }
            self.after = self.found.back().map(|last| Cursor { at: last.raised, id: last.id });
        }
        self.is_due = false;
        self.after = None;
        None
    }

    /// The earliest alert that is looked for; what was remembered of earlier ones is forgotten.
    fn oldest(&mut self, now: Timestamp) -> Timestamp {
        let kept = now - LONGEST_VIDEO;
        let oldest = self.given_up.map_or(kept, |given_up| kept.max(given_up + Span::from_micros(1)));
        self.hopeless = self.hopeless.split_off(&(oldest, AlertId(0)));
        oldest
    }

    /// This alert gets no snapshot; it is not tried again.
    fn give_up(&mut self, alert: &Alert) {
        self.hopeless.insert((alert.raised, alert.id));
        if self.hopeless.len() > MOST_HOPELESS
            && let Some((raised, _)) = self.hopeless.pop_first()
        {
            self.given_up = self.given_up.max(Some(raised));
        }
    }
}

#[cfg(test)]
mod tests {
    use vedette_core::EpisodePhase;

    use super::*;
    use crate::scene;

    fn raised(ago: i64) -> Alert {
        let alert = scene::alert("gate", -ago, EpisodePhase::Raised);
        Alert { raised: clock::now() - Span::from_secs(ago), ..alert }
    }

    fn making(folder: &tempfile::TempDir, alerts: &[Alert]) -> Making {
        let store = Arc::new(AlertStore::open(&folder.path().join("alerts.sqlite")).unwrap());
        for alert in alerts {
            store.upsert(alert, None).unwrap();
        }
        Making { store, blocking: Blocking::InPlace, snapshots: None, missed: Arc::default() }
    }

    /// What is tried when all that is left is looked through once.
    async fn look(left: &mut Left, making: &Making) -> Vec<AlertId> {
        left.is_due = true;
        let mut found = Vec::new();
        while let Some(alert) = left.next(making).await {
            found.push(alert.id);
        }
        assert!(!left.is_due);
        found
    }

    #[tokio::test]
    async fn what_gets_no_snapshot_is_tried_once_and_the_rest_until_it_has_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut alerts: Vec<Alert> = (1..100).rev().map(|minutes| raised(minutes * 60)).collect();
        let yesterday = raised(2 * 86_400);
        let making = making(&folder, &[alerts.clone(), vec![yesterday]].concat());
        let mut left = Left::default();
        let ids = |alerts: &[Alert]| alerts.iter().map(|alert| alert.id).collect::<Vec<_>>();
        assert_eq!(look(&mut left, &making).await, ids(&alerts));
        for alert in alerts.split_off(40) {
            left.give_up(&alert);
        }
        assert_eq!(look(&mut left, &making).await, ids(&alerts));
        let made = alerts.remove(0);
        making.store.put_snapshot(made.id, b"jpeg").unwrap();
        for _ in 0..3 {
            assert_eq!(look(&mut left, &making).await, ids(&alerts));
        }
    }

    #[tokio::test]
    async fn however_many_get_none_the_memory_of_them_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let (first, last) = (raised(3_600), raised(60));
        let making = making(&folder, &[first.clone(), last.clone()]);
        let mut left = Left::default();
        let mut other = first.clone();
        for number in 0..MOST_HOPELESS as u128 + 10 {
            other.id = AlertId(number);
            left.give_up(&other);
        }
        assert_eq!(left.hopeless.len(), MOST_HOPELESS);
        assert_eq!(look(&mut left, &making).await, [last.id], "what was forgotten counts as given up");
        assert!(left.hopeless.is_empty(), "those of that time need no memory");
    }
}
