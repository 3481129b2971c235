use std::collections::BTreeMap;
use std::sync::Arc;

use vedette_bus::{Committer, Position};
use vedette_core::CameraId;

use crate::ledger::Ledger;

/// The offsets in flight of every partition.
#[derive(Default)]
pub struct Offsets {
    ledgers: BTreeMap<Arc<str>, Ledger<CameraId>>,
}

impl Offsets {
    pub(crate) fn begin(&mut self, at: &Position) {
        self.ledgers.entry(at.topic.clone()).or_default().begin(at.partition, at.offset);
    }

    pub(crate) fn finish(&mut self, at: &Position) {
        if let Some(ledger) = self.ledgers.get_mut(&at.topic) {
            ledger.finish(at.partition, at.offset);
        }
    }

    /// A camera can restart at the record `at`, as soon as all before `from` (the same record, or a later one) are finished: after a
    /// restart it needs the records from `at` on.
    pub fn hold(&mut self, camera: CameraId, at: &Position, from: &Position) {
        if let Some(ledger) = self.ledgers.get_mut(&at.topic) {
            ledger.hold(at.partition, camera, at.offset, from.offset);
        }
    }

    /// A camera needs nothing after a restart.
    pub fn release(&mut self, partition: u32, camera: &CameraId) {
        self.ledgers.values_mut().for_each(|ledger| ledger.release(partition, camera));
    }

    /// Records whose effects are not durable yet.
    pub fn open(&self) -> usize {
        self.ledgers.values().map(Ledger::open).sum()
    }

    pub(crate) async fn commit(&mut self, committer: &Committer, stage: &'static str) {
        for (topic, ledger) in &mut self.ledgers {
            ledger.commit(committer, topic, stage).await;
        }
    }

    pub(crate) fn forget(&mut self, partitions: &[(Arc<str>, u32)]) {
        for (topic, partition) in partitions {
            if let Some(ledger) = self.ledgers.get_mut(topic) {
                ledger.forget(*partition);
            }
        }
    }
}
