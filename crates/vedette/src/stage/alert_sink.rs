//! `alerts` to the store, the live stream and the snapshots. An alert is committed once it is in the store; the same alert
//! again changes nothing there.

use std::sync::Arc;

use anyhow::Context;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use vedette_alerts::{AlertStore, RecordPosition};
use vedette_bus::{BusError, Committer, Delivered, GroupEvent, SharedBus};
use vedette_core::Alert;
use vedette_wire::{DeadLetterReason, decode_alert};

use crate::blocking::{Blocking, Panicked};
use crate::evidence::BusSnapshots;
use crate::health::{Condition, Health};
use crate::reading::Refusal;
use crate::{bus_watch, dead_letters, ledger, topics};

/// The consumer group of the stage.
pub const GROUP: &str = "console";
const STAGE: &str = "alert_sink";
/// Alerts that wait for their snapshot; one more is made on demand, as long as the video is kept.
const SNAPSHOTS_IN_HAND: usize = 256;

/// What the stage needs.
#[derive(Clone)]
pub struct AlertSink {
    /// Where alerts come from.
    pub bus: SharedBus,
    /// Where they are kept.
    pub store: Arc<AlertStore>,
    /// Where the store works.
    pub blocking: Blocking,
    /// Who listens live.
    pub live: broadcast::Sender<Arc<Alert>>,
    /// Makes snapshots while the video is there; none are taken without it.
    pub snapshots: Option<Arc<BusSnapshots>>,
    /// Where it says how it is.
    pub health: Health,
}

impl AlertSink {
    /// Works until `stop`.
    ///
    /// # Errors
    /// When bus or store refuse; nothing is then committed, and the alerts come again.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut subscription = self.bus.subscribe(GROUP, &[topics::ALERTS]).await.context("joining group `console`")?;
        let committer = subscription.committer();
        let (wanted, alerts) = mpsc::channel(SNAPSHOTS_IN_HAND);
        let taking = tokio::spawn(self.clone().take_snapshots(alerts));
        self.health.set(STAGE, Condition::Running, "");
        loop {
            let event = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                event = subscription.next() => event,
            };
            match event {
                Ok(GroupEvent::Record(record)) => self.take(&record, &committer, &wanted).await?,
                Ok(GroupEvent::Assigned(_)) => {}
                Ok(GroupEvent::Revoked(revocation)) => revocation.done(),
                Err(BusError::Closed) => break,
                Err(error @ BusError::Unreachable { .. }) => bus_watch::away(&self.health, &error),
                Err(error) => return Err(error.into()),
            }
        }
        drop(wanted);
        taking.await.context("taking snapshots")
    }

    async fn take(
        &self,
        record: &Delivered,
        committer: &Committer,
        wanted: &mpsc::Sender<Arc<Alert>>,
    ) -> anyhow::Result<()> {
        self.health.set(STAGE, Condition::Running, "");
        match self.keep(record).await? {
            Ok(alert) => {
                // Nobody listening is fine.
                let _ = self.live.send(alert.clone());
                if alert.revision == 1 && wanted.try_send(alert).is_err() {
                    metrics::counter!("vedette_snapshots_deferred_total").increment(1);
                }
            }
            Err(Refusal { reason, detail }) => {
                dead_letters::send(&self.bus, STAGE, record, reason, &detail).await?.await?;
            }
        }
        let (partition, next) = (record.position.partition, record.position.offset + 1);
        ledger::commit(committer, STAGE, topics::ALERTS, partition, next).await.context("committing")
    }

    /// Writes the alert of a record into the store; gives why not when the record itself is the cause, so that it would be
    /// refused again however often it comes.
    async fn keep(&self, record: &Delivered) -> anyhow::Result<Result<Arc<Alert>, Refusal>> {
        let alert = match decode_alert(record.record.value.clone().unwrap_or_default()) {
            Ok(alert) => Arc::new(alert),
            Err(error) => return Ok(Err(error.into())),
        };
        let (store, written) = (self.store.clone(), alert.clone());
        let position = RecordPosition { partition: record.position.partition, offset: record.position.offset };
        match self.blocking.run(move || store.upsert(&written, Some(position))).await {
            Ok(Ok(_)) => Ok(Ok(alert)),
            Ok(Err(error)) if error.is_about_the_alert() => {
                Ok(Err(Refusal { reason: DeadLetterReason::Invalid, detail: error.to_string() }))
            }
            Ok(Err(error)) => Err(error).context("storing an alert"),
            Err(Panicked(detail)) => Ok(Err(Refusal { reason: DeadLetterReason::Panic, detail })),
        }
    }

    async fn take_snapshots(self, mut alerts: mpsc::Receiver<Arc<Alert>>) {
        while let Some(alert) = alerts.recv().await {
            let Some(snapshots) = &self.snapshots else { continue };
            match snapshots.take(&alert).await {
                Ok(jpeg) => {
                    let (store, id) = (self.store.clone(), alert.id);
                    let kept = self.blocking.run(move || store.put_snapshot(id, &jpeg)).await;
                    match kept {
                        Ok(Ok(())) => metrics::counter!("vedette_snapshots_total").increment(1),
                        Ok(Err(error)) => tracing::error!(alert = %alert.id, %error, "snapshot not stored"),
                        Err(Panicked(error)) => tracing::error!(alert = %alert.id, error, "snapshot not stored"),
                    }
                }
                Err(error) => tracing::warn!(alert = %alert.id, %error, "no snapshot"),
            }
        }
    }
}
