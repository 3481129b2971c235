use std::sync::Arc;

use vedette_metrics::Counter;

use super::admin::TopicFacts;
use crate::{BusError, metrics, topic as names};

/// A topic as this bus knows it. Built once, so that sending a record looks nothing up and formats nothing.
pub(super) struct Topic {
    /// Its name above the seam.
    pub(super) name: Arc<str>,
    /// Its name in the cluster.
    pub(super) full_name: String,
    pub(super) facts: TopicFacts,
    pub(super) appended: Counter,
    pub(super) failed: Counter,
}

impl Topic {
    pub(super) fn new(name: &str, full_name: String, facts: TopicFacts) -> Self {
        let label = || [name.to_owned()];
        Self {
            name: Arc::from(name),
            full_name,
            facts,
            appended: metrics::APPENDED_RECORDS.with(label()),
            failed: metrics::FAILED_RECORDS.with(label()),
        }
    }

    /// Refuses a partition that the topic does not have.
    pub(super) fn check(&self, partition: u32) -> Result<(), BusError> {
        let count = self.facts.partitions;
        if partition < count { Ok(()) } else { Err(names::unknown_partition(&self.name, partition, count as usize)) }
    }
}
