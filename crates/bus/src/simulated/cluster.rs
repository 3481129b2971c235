use std::collections::BTreeMap;
use std::sync::Arc;

use super::brokers::Shared;
use super::client::Client;
use super::group::Group;
use super::settings::{Sabotage, Settings};
use super::trace::{TraceEvent, Traced};
use crate::{BusError, Delivered};

/// The brokers of a simulated bus, cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    pub(super) shared: Arc<Shared>,
}

impl Cluster {
    /// A cluster with the default [`Settings`], in which all randomness comes from `seed`. Its time begins now.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_settings(seed, Settings::default())
    }

    /// The same with other settings.
    #[must_use]
    pub fn with_settings(seed: u64, settings: Settings) -> Self {
        Self { shared: Arc::new(Shared::new(seed, settings)) }
    }

    /// A process that talks to the cluster. One that restarts after a crash is another client, under the same name or not.
    #[must_use]
    pub fn client(&self, name: &str) -> Client {
        let number = {
            let mut state = self.shared.state();
            state.next_client += 1;
            state.next_client
        };
        Client::new(Arc::clone(&self.shared), name, number)
    }

    /// Takes the whole cluster down, or brings it back with all acknowledged records.
    pub fn set_down(&self, down: bool) {
        let mut state = self.shared.state();
        if state.down == down {
            return;
        }
        state.down = down;
        if !down {
            state.groups.values_mut().for_each(Group::rearm);
        }
        let event = if down { TraceEvent::WentDown } else { TraceEvent::CameUp };
        state.trace(&self.shared, &Arc::from(""), event);
        drop(state);
        self.shared.changed.notify_waiters();
    }

    /// Plants a bug, in addition to those already planted.
    pub fn sabotage(&self, bug: Sabotage) {
        self.shared.state().sabotage.push(bug);
    }

    /// Compacts the whole of a topic now, the newest records too; in one that is not compacted, deletes expired records.
    ///
    /// # Errors
    /// When there is no such topic.
    pub fn compact(&self, topic: &str) -> Result<(), BusError> {
        let mut state = self.shared.state();
        state.topic(topic)?;
        state.sweep(&self.shared, topic, 0);
        Ok(())
    }

    /// All retained records of a topic, by partition and offset.
    ///
    /// # Errors
    /// When there is no such topic.
    pub fn records(&self, topic: &str) -> Result<Vec<Delivered>, BusError> {
        Ok(self.shared.state().topic(topic)?.records())
    }

    /// The committed offset of a group in a partition; `None` when it never committed there.
    #[must_use]
    pub fn committed(&self, group: &str, topic: &str, partition: u32) -> Option<u64> {
        let mut state = self.shared.state();
        state.groups.get_mut(group)?.committed(&(Arc::from(topic), partition))
    }

    /// The lag of a group on a topic.
    ///
    /// # Errors
    /// When there is no such topic.
    pub fn lag(&self, group: &str, topic: &str) -> Result<u64, BusError> {
        let mut state = self.shared.state();
        let bounds = state.topic(topic)?.watermarks();
        let group = state.groups.get(group);
        let lag = bounds.iter().map(|bound| {
            let committed = group.and_then(|group| group.committed(&(Arc::from(topic), bound.partition)));
            bound.high - committed.unwrap_or(0).max(bound.low)
        });
        Ok(lag.sum())
    }

    /// The assignment of a group's partitions to clients, as the cluster sees it.
    #[must_use]
    pub fn assignment(&self, group: &str) -> BTreeMap<(Arc<str>, u32), Arc<str>> {
        self.shared.state().groups.get(group).map(Group::owners).unwrap_or_default()
    }

    /// All events so far.
    #[must_use]
    pub fn trace(&self) -> Vec<Traced> {
        self.shared.state().trace.clone()
    }

    /// The cluster's clock, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.shared.now_ms()
    }
}
