//! Keeps the detection store within its limits, and the versions of cameras and policies beside the detections.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use vedette_core::{RetentionClock, Span, Timestamp};
use vedette_detection_store::{DetectionStore, Limits, Swept};
use vedette_runtime::clock;
use vedette_runtime::health::{Condition, Health};

use super::{HistoryLines, TuningSettings};
use crate::error::StageError;
use crate::metrics;
use crate::registry::Registry;

pub(super) const NAME: &str = "detection_store";
const SWEEP_EVERY: Duration = Duration::from_secs(600);

/// See the module.
#[derive(Clone)]
pub(super) struct Upkeep {
    pub(super) settings: TuningSettings,
    pub(super) registry: Registry,
    pub(super) lines: HistoryLines,
    pub(super) health: Health,
}

impl Upkeep {
    pub(super) async fn run(self, stop: CancellationToken) -> crate::Result<()> {
        let directory = self.settings.directory.clone();
        let store = tokio::task::spawn_blocking(move || DetectionStore::create(&directory)).await??;
        let began = Instant::now();
        let everything =
            Limits { written_from: Timestamp::from_micros(i64::MIN), bytes: self.settings.max_bytes as u64 };
        let known = sweep(&store, everything).await?.newest;
        let mut retention = RetentionClock::new(known, clock::now(), Span::ZERO);
        let mut changes = self.registry.changes();
        let mut tick = tokio::time::interval(SWEEP_EVERY);
        self.keep_history(&store).await?;
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = tick.tick() => {
                    let steady = Span::from_micros(i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX));
                    let now = retention.now(clock::now(), steady, self.settings.keep);
                    let swept = sweep(&store, Limits { written_from: now - self.settings.keep, ..everything }).await?;
                    self.tell(swept);
                }
                changed = changes.changed() => {
                    changed.map_err(|_| StageError::RegistryEnded)?;
                    self.keep_history(&store).await?;
                }
            }
        }
    }

    fn tell(&self, swept: Swept) {
        metrics::DETECTION_STORE_BYTES.get().set(swept.bytes as f64);
        for (reason, hours) in [("expired", swept.expired), ("no_room", swept.no_room)] {
            metrics::DETECTION_STORE_HOURS_DELETED.with([reason]).increment(hours);
        }
        if swept.no_room > 0 {
            let hours = swept.no_room;
            tracing::warn!(hours, "the oldest hours of cameras were deleted before their time; raise tuning.max_bytes");
        }
        self.health.set(NAME, Condition::Running, format!("{:.1} GB", swept.bytes as f64 / 1e9));
    }

    async fn keep_history(&self, store: &DetectionStore) -> crate::Result<()> {
        let (store, registry, lines) = (store.clone(), self.registry.clone(), self.lines);
        tokio::task::spawn_blocking(move || store.keep_history(&lines(&registry))).await??;
        Ok(())
    }
}

async fn sweep(store: &DetectionStore, limits: Limits) -> crate::Result<Swept> {
    let store = store.clone();
    Ok(tokio::task::spawn_blocking(move || store.sweep(&limits)).await??)
}
