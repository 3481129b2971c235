//! Offset tracking: an offset may be committed only when everything before it is durable.

use std::collections::{BTreeMap, VecDeque};

use vedette_bus::{BusError, Committer};

/// The records in flight of each partition, and the offsets to which decoding would have to rewind.
///
/// `H` identifies the holder of an offset (a camera whose group of pictures started there).
#[derive(Debug)]
pub(crate) struct Ledger<H> {
    partitions: BTreeMap<u32, Partition<H>>,
}

#[derive(Debug)]
struct Partition<H> {
    open: BTreeMap<u64, ()>,
    next: u64,
    /// The restart offsets of each holder, ascending, and up to where all must be finished for each.
    holds: BTreeMap<H, VecDeque<(u64, u64)>>,
    committed: Option<u64>,
}

impl<H> Default for Ledger<H> {
    fn default() -> Self {
        Self { partitions: BTreeMap::new() }
    }
}

impl<H: Ord> Ledger<H> {
    /// Registers a record as in flight. Offsets of a partition ascend.
    pub(crate) fn begin(&mut self, partition: u32, offset: u64) {
        let entry = self.partitions.entry(partition).or_insert_with(|| Partition {
            open: BTreeMap::new(),
            next: offset,
            holds: BTreeMap::new(),
            committed: None,
        });
        entry.open.insert(offset, ());
        entry.next = entry.next.max(offset + 1);
    }

    /// All effects of a record are durable.
    pub(crate) fn finish(&mut self, partition: u32, offset: u64) {
        if let Some(entry) = self.partitions.get_mut(&partition) {
            entry.open.remove(&offset);
        }
    }

    /// `holder` can restart at `offset`, once all before `from` are finished: after a restart it needs the records from there on.
    pub(crate) fn hold(&mut self, partition: u32, holder: H, offset: u64, from: u64) {
        if let Some(entry) = self.partitions.get_mut(&partition) {
            entry.holds.entry(holder).or_default().push_back((offset, from));
        }
    }

    /// `holder` needs nothing after a restart.
    pub(crate) fn release(&mut self, partition: u32, holder: &H) {
        if let Some(entry) = self.partitions.get_mut(&partition) {
            entry.holds.remove(holder);
        }
    }

    /// The partition was revoked.
    pub(crate) fn forget(&mut self, partition: u32) {
        self.partitions.remove(&partition);
    }

    /// Records in flight.
    #[must_use]
    pub(crate) fn open(&self) -> usize {
        self.partitions.values().map(|entry| entry.open.len()).sum()
    }

    /// Commits what can be committed. A failed commit is retried at the next call, even without new records.
    pub(crate) async fn commit(&mut self, committer: &Committer, topic: &str, stage: &'static str) {
        for (partition, next) in self.take_commits() {
            if let Err(error) = commit(committer, stage, topic, partition, next).await {
                self.is_due_again(partition);
                tracing::warn!(stage, topic, partition, next, %error, "not committed; retrying");
            }
        }
    }

    /// The last commit failed.
    fn is_due_again(&mut self, partition: u32) {
        if let Some(entry) = self.partitions.get_mut(&partition) {
            entry.committed = None;
        }
    }

    /// For each partition that advanced since the last call, the offset to commit: the first that is still needed.
    fn take_commits(&mut self) -> Vec<(u32, u64)> {
        let mut commits = Vec::new();
        for (partition, entry) in &mut self.partitions {
            let unfinished = entry.open.keys().next().copied().unwrap_or(entry.next);
            for starts in entry.holds.values_mut() {
                while starts.get(1).is_some_and(|(_, from)| *from <= unfinished) {
                    starts.pop_front();
                }
            }
            let held = entry.holds.values().filter_map(|starts| starts.front().map(|(at, _)| *at)).min();
            let point = held.map_or(unfinished, |held| held.min(unfinished));
            if entry.committed.is_none_or(|committed| point > committed) {
                entry.committed = Some(point);
                commits.push((*partition, point));
            }
        }
        commits
    }
}

/// Commits `next`. If the partition has meanwhile been reassigned, this is logged and no error: the new owner's offsets count,
/// and it recognises records that it receives again.
///
/// # Errors
/// When the bus cannot be reached.
pub async fn commit(
    committer: &Committer,
    stage: &'static str,
    topic: &str,
    partition: u32,
    next: u64,
) -> Result<(), BusError> {
    match committer.commit(topic, partition, next).await {
        Err(error @ BusError::Refused { .. }) => {
            tracing::warn!(stage, topic, partition, next, %error, "commit refused; the records may be delivered again");
            Ok(())
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_committed_past_an_open_record() {
        let mut ledger = Ledger::<&str>::default();
        for offset in 10..15 {
            ledger.begin(0, offset);
        }
        ledger.finish(0, 11);
        assert_eq!(ledger.take_commits(), [(0, 10)]);
        ledger.finish(0, 10);
        assert_eq!(ledger.take_commits(), [(0, 12)]);
        assert_eq!(ledger.take_commits(), []);
    }

    #[test]
    fn a_commit_that_did_not_get_through_is_due_again() {
        let mut ledger = Ledger::<&str>::default();
        for partition in [0, 1] {
            ledger.begin(partition, 5);
            ledger.finish(partition, 5);
        }
        assert_eq!(ledger.take_commits(), [(0, 6), (1, 6)]);
        ledger.is_due_again(1);
        assert_eq!(ledger.take_commits(), [(1, 6)]);
        assert_eq!(ledger.take_commits(), []);
    }

    #[test]
    fn a_holder_keeps_its_group_of_pictures() {
        let mut ledger = Ledger::default();
        for offset in 0..6 {
            ledger.begin(0, offset);
            ledger.finish(0, offset);
        }
        ledger.hold(0, "gate", 2, 2);
        ledger.hold(0, "hall", 4, 4);
        assert_eq!(ledger.take_commits(), [(0, 2)]);
        ledger.hold(0, "gate", 5, 5);
        assert_eq!(ledger.take_commits(), [(0, 4)]);
        ledger.release(0, &"hall");
        assert_eq!(ledger.take_commits(), [(0, 5)]);
    }

    #[test]
    fn a_group_is_held_until_it_is_finished_although_the_next_has_begun() {
        let mut ledger = Ledger::default();
        for offset in 0..4 {
            ledger.begin(0, offset);
        }
        ledger.hold(0, "gate", 0, 0);
        ledger.hold(0, "gate", 3, 3);
        ledger.finish(0, 0);
        ledger.finish(0, 1);
        assert_eq!(ledger.take_commits(), [(0, 0)]);
        ledger.finish(0, 2);
        assert_eq!(ledger.take_commits(), [(0, 3)]);
    }

    #[test]
    fn a_group_to_which_the_next_refers_is_held_until_that_one_is_finished() {
        let mut ledger = Ledger::default();
        for offset in 0..9 {
            ledger.begin(0, offset);
        }
        for (at, from) in [(0, 0), (0, 3), (3, 6)] {
            ledger.hold(0, "gate", at, from);
        }
        for offset in 0..5 {
            ledger.finish(0, offset);
        }
        assert_eq!(ledger.take_commits(), [(0, 0)]);
        ledger.finish(0, 5);
        assert_eq!(ledger.take_commits(), [(0, 3)]);
    }

    proptest! {
        /// In whatever order records finish: only finished ones are committed, and in the end all are.
        #[test]
        fn commits_only_what_is_finished(order in Just((0_u64..40).collect::<Vec<_>>()).prop_shuffle()) {
            let mut ledger = Ledger::<()>::default();
            for offset in 0..40 {
                ledger.begin(3, offset);
            }
            let mut finished = std::collections::HashSet::new();
            let mut last = 0;
            for offset in order {
                ledger.finish(3, offset);
                finished.insert(offset);
                for (_, point) in ledger.take_commits() {
                    prop_assert!(point >= last);
                    prop_assert!((0..point).all(|below| finished.contains(&below)));
                    last = point;
                }
            }
            prop_assert_eq!(last, 40);
        }
    }
}
