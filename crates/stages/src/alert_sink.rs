//! `alerts` to the store, the live stream and the snapshots. An alert is committed once it is stored; storing it again has no
//! effect.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;
use vedette_alert_store::{AlertStore, RecordPosition};
use vedette_bus::{Delivered, SharedBus};
use vedette_core::Alert;
use vedette_runtime::Service;
use vedette_runtime::blocking::{Blocking, Panicked};
use vedette_runtime::health::Health;
use vedette_topics::consumer::{self, Consumer, Effect, Offsets};
use vedette_topics::dead_letters::{self, Refusal};
use vedette_topics::topics;
use vedette_wire::DeadLetterReason;

use crate::error::StageError;
use crate::evidence::BusSnapshots;
use crate::metrics;

/// The consumer group of the stage.
const GROUP: &str = "console";
const STAGE: &str = "alert_sink";
/// Alerts that wait for their snapshot; an overflowing one is taken on demand, as long as the video is kept.
const SNAPSHOTS_IN_HAND: usize = 256;

/// How long shutdown waits for snapshots in progress.
const LAST_SNAPSHOTS: Duration = Duration::from_secs(3);

/// Dependencies of the stage.
#[derive(Clone)]
pub struct AlertSink {
    /// Source of alerts.
    pub bus: SharedBus,
    /// The alert store.
    pub store: Arc<AlertStore>,
    /// Where the store's blocking work runs.
    pub blocking: Blocking,
    /// Live subscribers.
    pub live: broadcast::Sender<Arc<Alert>>,
    /// Takes snapshots while the video is available; none are taken without it.
    pub snapshots: Option<Arc<BusSnapshots>>,
    /// Where it reports its condition.
    pub health: Health,
}

impl AlertSink {
    /// The service that stores alerts.
    pub(crate) fn service(self) -> Service {
        Service::new(STAGE, move |stop| self.clone().run(stop))
    }

    /// Runs until `stop`.
    ///
    /// # Errors
    /// When bus or store refuse; nothing is then committed, and the alerts are delivered again.
    pub async fn run(self, stop: CancellationToken) -> crate::Result<()> {
        let (bus, health) = (self.bus.clone(), self.health.clone());
        let (wanted, alerts) = mpsc::channel(SNAPSHOTS_IN_HAND);
        // Aborted when this call ends, in any way.
        let mut taking = AbortOnDropHandle::new(tokio::spawn(self.clone().take_snapshots(alerts)));
        let stored = consumer::run(Storing { sink: self, wanted }, bus, health, stop).await;
        // The sender is dropped with the consumer. A hung snapshot delays nothing: it is taken on demand.
        let _ = tokio::time::timeout(LAST_SNAPSHOTS, &mut taking).await;
        stored
    }

    /// Stores the alert of a record; returns the reason when the record itself is the cause, so that a retry would be refused
    /// again.
    async fn keep(&self, alert: Alert, record: &Delivered) -> crate::Result<Result<Arc<Alert>, Refusal>> {
        let alert = Arc::new(alert);
        let (store, written) = (self.store.clone(), alert.clone());
        let position = RecordPosition { partition: record.position.partition, offset: record.position.offset };
        match self.blocking.run(move || store.upsert(&written, Some(position))).await {
            Ok(Ok(_)) => Ok(Ok(alert)),
            Ok(Err(error)) if error.is_about_the_alert() => {
                Ok(Err(Refusal { reason: DeadLetterReason::Invalid, detail: error.to_string() }))
            }
            Ok(Err(error)) => Err(StageError::Store(error)),
            Err(Panicked(detail)) => Ok(Err(Refusal { reason: DeadLetterReason::Panic, detail })),
        }
    }

    async fn take_snapshots(self, mut alerts: mpsc::Receiver<Arc<Alert>>) {
        while let Some(alert) = alerts.recv().await {
            let Some(snapshots) = &self.snapshots else { continue };
            let span = tracing::error_span!("snapshot", camera = %alert.camera, alert = %alert.id);
            self.take_snapshot(snapshots, &alert).instrument(span).await;
        }
    }

    async fn take_snapshot(&self, snapshots: &BusSnapshots, alert: &Alert) {
        let Ok(taken) = AssertUnwindSafe(snapshots.take(alert)).catch_unwind().await else {
            tracing::error!("no snapshot: its creation panicked");
            return;
        };
        match taken {
            Ok(jpeg) => {
                let (store, id) = (self.store.clone(), alert.id);
                let kept = self.blocking.run(move || store.put_snapshot(id, &jpeg)).await;
                match kept {
                    Ok(Ok(())) => metrics::SNAPSHOTS.get().increment(1),
                    Ok(Err(error)) => tracing::error!(%error, "snapshot not stored"),
                    Err(Panicked(error)) => tracing::error!(error, "snapshot not stored"),
                }
            }
            Err(error) => tracing::warn!(%error, "no snapshot"),
        }
    }
}

/// The sink as a consumer of `alerts`.
struct Storing {
    sink: AlertSink,
    /// Alerts whose snapshot is to be taken.
    wanted: mpsc::Sender<Arc<Alert>>,
}

impl Consumer for Storing {
    type Error = StageError;
    type Message = Alert;

    fn group(&self) -> String {
        GROUP.to_owned()
    }

    fn stage(&self) -> &'static str {
        STAGE
    }

    fn topics(&self) -> Vec<String> {
        vec![topics::ALERTS.name().to_owned()]
    }

    fn read(&self, record: &Delivered) -> Result<Alert, Refusal> {
        Ok(topics::ALERTS.read(record)?)
    }

    async fn take(&mut self, record: Delivered, alert: Alert, _: &mut Offsets) -> crate::Result<Effect> {
        match self.sink.keep(alert, &record).await? {
            Ok(alert) => {
                // There may be no subscribers.
                let _ = self.sink.live.send(alert.clone());
                if alert.revision == 1 && self.wanted.try_send(alert).is_err() {
                    metrics::SNAPSHOTS_DEFERRED.get().increment(1);
                }
                Ok(Effect::Durable)
            }
            Err(Refusal { reason, detail }) => {
                let delivery = dead_letters::send(&self.sink.bus, STAGE, &record, reason, &detail).await?;
                Ok(self.dead_lettered(&record, delivery))
            }
        }
    }
}
