//! Rows of the audit log to the topic `audit`, where whoever administers the store cannot change them. The topic itself says how far this
//! has got. A row may be written twice: by each console of one store, and after a failure.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vedette_access::{AuditRow, ChainHead};
use vedette_alert_store::{AlertStore, StoreError};
use vedette_bus::{BusError, SharedBus};
use vedette_runtime::Service;
use vedette_runtime::blocking::{Blocking, Panicked};
use vedette_runtime::health::{Condition, Health};
use vedette_topics::topics;

use crate::metrics;

const NAME: &str = "audit_publisher";
/// Pause after the last row, and after a failure.
const ASK_EVERY: Duration = Duration::from_secs(1);
const RETRY: Duration = Duration::from_secs(2);
/// Rows that are read, and on their way, at once.
const BATCH: u32 = 256;
/// Records at the end of the topic among which the last row is looked for: one that cannot be read is passed over.
const LOOKED_AT: usize = 64;

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Panicked(#[from] Panicked),
}

/// The service.
pub(crate) fn service(bus: &SharedBus, store: &Arc<AlertStore>, health: &Health) -> Service {
    let publisher = Publisher { bus: bus.clone(), store: store.clone() };
    let health = health.clone();
    Service::new(NAME, move |stop| run(publisher.clone(), health.clone(), stop))
}

async fn run(publisher: Publisher, health: Health, stop: CancellationToken) -> crate::Result<()> {
    let publishing = async {
        let mut next = None;
        loop {
            let pause = match publisher.publish(&mut next).await {
                Ok(0) => Some(ASK_EVERY),
                Ok(_) => None,
                // Rows wait in the store; nothing that the console does waits for them.
                Err(error) => {
                    health.set(NAME, Condition::Degraded, format!("rows of the audit log wait: {error}"));
                    tokio::time::sleep(RETRY).await;
                    continue;
                }
            };
            health.set(NAME, Condition::Running, "");
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
        }
    };
    stop.run_until_cancelled(publishing).await;
    health.set(NAME, Condition::Stopped, "");
    Ok(())
}

#[derive(Clone)]
struct Publisher {
    bus: SharedBus,
    store: Arc<AlertStore>,
}

impl Publisher {
    /// Writes the next rows, from number `next` on or where the topic ends; the number of rows.
    async fn publish(&self, next: &mut Option<u64>) -> Result<usize, Failure> {
        let from = match *next {
            Some(from) => from,
            None => *next.insert(self.begin().await?),
        };
        let rows = self.rows(from, BATCH).await?;
        let mut deliveries = Vec::with_capacity(rows.len());
        for row in &rows {
            deliveries.push(topics::AUDIT.send(&self.bus, row, row.entry.at).await?);
        }
        for delivery in deliveries {
            delivery.await?;
        }
        if let Some(last) = rows.last() {
            *next = Some(last.number + 1);
            metrics::AUDIT_PUBLISHED.get().increment(rows.len() as u64);
        }
        Ok(rows.len())
    }

    /// The number of the first row that is not on the topic.
    async fn begin(&self) -> Result<u64, Failure> {
        let Some(last) = self.last_published().await? else { return Ok(1) };
        let rows = self.rows(last.number, 1).await?;
        if rows.first().is_some_and(|row| ChainHead::of(row) == last) {
            return Ok(last.number + 1);
        }
        tracing::error!(
            row = last.number,
            "the audit log of the store is not the one on the topic `audit`: it was lost, altered, or is an older copy; all of it is published"
        );
        Ok(1)
    }

    async fn last_published(&self) -> Result<Option<ChainHead>, BusError> {
        let topic = topics::AUDIT.name();
        for mark in self.bus.watermarks(topic).await? {
            for offset in (mark.low..mark.high).rev().take(LOOKED_AT) {
                if let Some(record) = self.bus.fetch(topic, mark.partition, offset).await?
                    && let Ok(row) = topics::AUDIT.read(&record)
                {
                    return Ok(Some(ChainHead::of(&row)));
                }
            }
        }
        Ok(None)
    }

    async fn rows(&self, from: u64, limit: u32) -> Result<Vec<AuditRow>, Failure> {
        let store = self.store.clone();
        Ok(Blocking::Apart.run(move || store.audit_rows(from, limit)).await??)
    }
}
