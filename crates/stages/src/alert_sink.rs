//! `alerts` to the store, the live stream and the snapshots. An alert is committed once it is stored; storing it again has no
//! effect.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use vedette_alert_store::{AlertStore, RecordPosition};
use vedette_bus::{BusError, Delivered, Delivery, SharedBus};
use vedette_core::{Alert, Timestamp};
use vedette_runtime::Service;
use vedette_runtime::blocking::{Blocking, Panicked};
use vedette_runtime::health::Health;
use vedette_topics::consumer::{self, Consumer, Effect, Offsets};
use vedette_topics::dead_letters::{self, Refusal};
use vedette_topics::{TopicError, bus_watch, topics};
use vedette_wire::DeadLetterReason;

use crate::alert_refill::Refill;
use crate::error::StageError;
use crate::evidence::BusSnapshots;
use crate::metrics;
use crate::retention::Retention;
use crate::snapshots::Making;

/// The consumer group of the stage.
const GROUP: &str = "console";
const STAGE: &str = "alert_sink";
/// Alerts that wait for their snapshot; an overflowing one is made up for when there is time, as long as the video is kept.
const SNAPSHOTS_IN_HAND: usize = 256;

/// Pause before an unreachable bus is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
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
    /// The service that stores alerts, and fills the store up when it is behind the bus; `kept` says which alerts have expired.
    pub(crate) fn service(self, kept: &Arc<Retention>) -> Service {
        let kept = kept.clone();
        Service::new(STAGE, move |stop| self.clone().run_and_refill(kept.clone(), stop))
    }

    async fn run_and_refill(self, kept: Arc<Retention>, stop: CancellationToken) -> crate::Result<()> {
        let Self { bus, store, health, .. } = self.clone();
        let refill = Refill { bus, store, blocking: self.blocking, health };
        let Some(lacking) = stop.run_until_cancelled(self.lacking(&refill)).await.transpose()? else { return Ok(()) };
        let expired = self.blocking.run(move || kept.expired()).await;
        let expired = expired.unwrap_or_else(|_| Ok(Timestamp::default())).map_err(StageError::Store)?;
        // What arrives meanwhile is stored at once.
        let ends = stop.child_token();
        let storing = self.run(ends.clone());
        tokio::pin!(storing);
        tokio::select! {
            ended = &mut storing => ended,
            filled = refill.run(lacking, expired) => {
                if filled.is_err() {
                    ends.cancel();
                }
                let ended = storing.await;
                filled.and(ended)
            }
        }
    }

    /// What the store lacks; an outage of the bus is waited out.
    async fn lacking(&self, refill: &Refill) -> crate::Result<BTreeMap<u32, Range<u64>>> {
        loop {
            match refill.look(GROUP).await {
                Err(StageError::Bus(TopicError::During { source: error @ BusError::Unreachable { .. }, .. })) => {
                    bus_watch::away(&self.health, &error);
                    tokio::time::sleep(ASK_AGAIN).await;
                }
                looked => return looked,
            }
        }
    }

    /// Runs until `stop`.
    ///
    /// # Errors
    /// When bus or store refuse; nothing is then committed, and the alerts are delivered again.
    pub async fn run(self, stop: CancellationToken) -> crate::Result<()> {
        let (bus, health) = (self.bus.clone(), self.health.clone());
        let (wanted, alerts) = mpsc::channel(SNAPSHOTS_IN_HAND);
        // Aborted when this call ends, in any way.
        let (missed, stopped) = (Arc::new(Notify::new()), stop.clone());
        let Self { store, blocking, snapshots, .. } = self.clone();
        let making = Making { store, blocking, snapshots, missed: missed.clone() };
        let mut taking = AbortOnDropHandle::new(tokio::spawn(making.run(alerts, stopped)));
        let stored = consumer::run(Storing { sink: self, wanted, missed }, bus, health, stop).await;
        // The sender is dropped with the consumer. A hung snapshot delays nothing: it is made up for after the next start.
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
            Ok(Err(error)) if error.is_about_the_content() => {
                Ok(Err(Refusal { reason: DeadLetterReason::Invalid, detail: error.to_string() }))
            }
            Ok(Err(error)) => Err(StageError::Store(error)),
            Err(Panicked(detail)) => Ok(Err(Refusal { reason: DeadLetterReason::Panic, detail })),
        }
    }
}

/// The sink as a consumer of `alerts`.
struct Storing {
    sink: AlertSink,
    /// Alerts whose snapshot is to be taken.
    wanted: mpsc::Sender<Arc<Alert>>,
    /// Told when there was no room for one.
    missed: Arc<Notify>,
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

    /// The store has got past a record without an alert, too.
    fn dead_lettered(&mut self, record: &Delivered, delivery: Delivery) -> Effect {
        let (store, blocking) = (self.sink.store.clone(), self.sink.blocking);
        let position = RecordPosition { partition: record.position.partition, offset: record.position.offset };
        let passed = async move {
            delivery.await?;
            match blocking.run(move || store.pass(position)).await {
                Ok(Ok(())) => {}
                // It is read once more when the store is compared with the bus.
                Ok(Err(error)) => tracing::warn!(%error, "the position of the alert store was not written"),
                Err(Panicked(error)) => tracing::warn!(error, "the position of the alert store was not written"),
            }
            Ok(())
        };
        Effect::Pending(passed.boxed())
    }

    async fn take(&mut self, record: Delivered, alert: Alert, _: &mut Offsets) -> crate::Result<Effect> {
        match self.sink.keep(alert, &record).await? {
            Ok(alert) => {
                // There may be no subscribers.
                let _ = self.sink.live.send(alert.clone());
                if alert.revision == 1 && self.wanted.try_send(alert).is_err() {
                    metrics::SNAPSHOTS_DEFERRED.get().increment(1);
                    self.missed.notify_one();
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
