//! Makes the snapshots of alerts: of those that were just stored, and, when none of these waits, of stored ones that have none yet,
//! because a burst was too large or the process ended.

use std::collections::{HashSet, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use vedette_alert_store::{AlertStore, Cursor};
use vedette_core::{Alert, AlertId, Span};
use vedette_runtime::blocking::{Blocking, Panicked};
use vedette_runtime::clock;

use crate::evidence::{BusSnapshots, NoSnapshot};
use crate::metrics;

/// Video is kept for a day at most; older alerts need not be tried.
const LONGEST_VIDEO: Span = Span::from_secs(86_400);
/// Alerts without snapshot that are read at once.
const BATCH: u32 = 32;
/// Alerts that are remembered as tried in vain.
const MOST_TRIED: usize = 10_000;
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
                    Ok(alert) => self.make(&snapshots, &alert, false).await,
                    Err(TryRecvError::Disconnected) => return,
                    Err(TryRecvError::Empty) => {
                        if let Some(alert) = left.next(&self).await {
                            self.make(&snapshots, &alert, true).await;
                        }
                    }
                }
                continue;
            }
            tokio::select! {
                biased;
                alert = alerts.recv() => match alert {
                    Some(alert) => self.make(&snapshots, &alert, false).await,
                    None => return,
                },
                () = self.missed.notified() => left.is_due = true,
                () = tokio::time::sleep(LOOK_EVERY) => left.is_due = true,
            }
        }
    }

    async fn make(&self, snapshots: &BusSnapshots, alert: &Alert, made_up: bool) {
        let span = tracing::error_span!("snapshot", camera = %alert.camera, alert = %alert.id);
        self.take(snapshots, alert, made_up).instrument(span).await;
    }

    async fn take(&self, snapshots: &BusSnapshots, alert: &Alert, made_up: bool) {
        let Ok(taken) = AssertUnwindSafe(snapshots.take(alert)).catch_unwind().await else {
            tracing::error!("no snapshot: its creation panicked");
            return;
        };
        match taken {
            Ok(jpeg) => {
                let (store, id) = (self.store.clone(), alert.id);
                match self.blocking.run(move || store.put_snapshot(id, &jpeg)).await {
                    Ok(Ok(())) if made_up => metrics::SNAPSHOTS_MADE_UP.get().increment(1),
                    Ok(Ok(())) => metrics::SNAPSHOTS.get().increment(1),
                    Ok(Err(error)) => tracing::error!(%error, "snapshot not stored"),
                    Err(Panicked(error)) => tracing::error!(error, "snapshot not stored"),
                }
            }
            Err(error @ (NoSnapshot::NoVideo | NoSnapshot::Expired)) if made_up => {
                tracing::debug!(%error, "no snapshot");
            }
            Err(error) => tracing::warn!(%error, "no snapshot"),
        }
    }
}

/// The stored alerts without snapshot that were not tried yet.
#[derive(Default)]
struct Left {
    is_due: bool,
    found: VecDeque<Alert>,
    after: Option<Cursor>,
    tried: HashSet<AlertId>,
}

impl Left {
    /// The next one; when there is none, it is no longer due.
    async fn next(&mut self, making: &Making) -> Option<Alert> {
        loop {
            if let Some(alert) = self.found.pop_front() {
                if self.tried.len() >= MOST_TRIED {
                    self.tried.clear();
                }
                if self.tried.insert(alert.id) {
                    return Some(alert);
                }
                continue;
            }
            let (store, after, from) = (making.store.clone(), self.after, clock::now() - LONGEST_VIDEO);
            match making.blocking.run(move || store.without_snapshot(from, after, BATCH)).await {
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
            self.after = self.found.back().map(|last| Cursor { raised: last.raised, id: last.id });
        }
        self.is_due = false;
        self.after = None;
        None
    }
}
