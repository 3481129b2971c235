//! Changes of the store, read once for all live streams.
//!
//! One task reads the changes in order and broadcasts them through a bounded ring. The signal for a new alert only wakes it: it
//! sends the content of the store, so every stream has the same order and the same numbers, also after a reconnect.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;
use vedette_access::Areas;
use vedette_alert_store::{AlertStore, Changed, StoreError};

use crate::base_path::BasePath;
use crate::metrics;
use crate::{ConsoleParts, ConsoleSettings};

const BATCH: u32 = 200;
const RETRY: Duration = Duration::from_secs(1);

/// One change, serialised.
#[derive(Debug)]
pub(crate) struct Change {
    /// Its number in the store.
    pub(crate) number: u64,
    /// The current alert, JSON, as a caller for the whole site sees it.
    json: String,
    /// It again, for callers within areas.
    changed: Changed,
}

impl Change {
    fn of(changed: Changed, base: &BasePath) -> Result<Self, serde_json::Error> {
        let json = serde_json::to_string(&base.json(&changed.stored))?;
        Ok(Self { number: changed.stored.change, json, changed })
    }

    /// The alert, JSON, as a caller within `areas` sees it who saw everything up to change number `since`; none if nothing changed for it.
    pub(crate) fn json(&self, areas: &Areas, since: u64, base: &BasePath) -> Option<Cow<'_, str>> {
        if *areas == Areas::Everywhere {
            return Some(Cow::Borrowed(&self.json));
        }
        let stored = self.changed.visible(areas, since)?;
        // It could be written as part of the whole one.
        serde_json::to_string(&base.json(&stored)).ok().map(Cow::Owned)
    }
}

/// Handle of the feed; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    changes: broadcast::Sender<Arc<Change>>,
    changed: Arc<Notify>,
}

impl Feed {
    /// Subscribes to all changes from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Change>> {
        self.changes.subscribe()
    }

    /// Signals that a verdict was stored.
    pub(crate) fn verdict_stored(&self) {
        self.changed.notify_one();
    }
}

/// Starts the task; it ends with `stop`.
pub(crate) fn start(parts: &ConsoleParts, settings: &ConsoleSettings, stop: CancellationToken) -> Feed {
    let feed = Feed { changes: broadcast::channel(settings.stream_buffer.max(1)).0, changed: parts.changed.clone() };
    let (task, store) = (feed.clone(), parts.store.clone());
    let base = settings.base_path.clone();
    let mut stored = parts.live.subscribe();
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        let mut sent = start_of(&store).await;
        let mut open = true;
        loop {
            match forward(&store, &base, &task.changes, &mut sent).await {
                Ok(()) => tokio::select! {
                    signal = stored.recv(), if open => open = !matches!(signal, Err(RecvError::Closed)),
                    () = task.changed.notified() => {}
                },
                Err(error) => {
                    metrics::FEED_ERRORS.get().increment(1);
                    tracing::error!(%error, "live streams are stalled: changes cannot be read");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }));
    feed
}

/// The number of the last change before the feed began.
async fn start_of(store: &Arc<AlertStore>) -> u64 {
    loop {
        let store = store.clone();
        match tokio::task::spawn_blocking(move || store.last_change()).await {
            Ok(Ok(number)) => return number,
            Ok(Err(error)) => tracing::error!(%error, "live streams are stalled: the store cannot be read"),
            Err(error) => tracing::error!(%error, "live streams are stalled: the task that reads the store ended"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn forward(
    store: &Arc<AlertStore>,
    base: &BasePath,
    changes: &broadcast::Sender<Arc<Change>>,
    sent: &mut u64,
) -> Result<(), FeedError> {
    loop {
        let (store, base, after) = (store.clone(), base.clone(), *sent);
        let batch = tokio::task::spawn_blocking(move || read(&store, &base, after, BATCH)).await??;
        let full = batch.len() == BATCH as usize;
        for change in batch {
            *sent = change.number;
            // An error means that no stream is open.
            let _ = changes.send(Arc::new(change));
        }
        metrics::STREAM_BUFFER_LENGTH.get().set(changes.len() as f64);
        if !full {
            return Ok(());
        }
    }
}

/// The changes after number `after`; blocks.
pub(crate) fn read(store: &AlertStore, base: &BasePath, after: u64, limit: u32) -> Result<Vec<Change>, FeedError> {
    let changed = store.placed_changes_after(after, limit)?;
    Ok(changed.into_iter().map(|changed| Change::of(changed, base)).collect::<Result<_, _>>()?)
}

/// Why changes cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("an alert cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the task that reads the store ended: {0}")]
    Task(#[from] tokio::task::JoinError),
}
