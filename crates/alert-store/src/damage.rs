use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{AlertStore, StoreError};
use crate::metrics;

/// Most ids that are remembered; further unreadable rows are left out too, and not counted.
const MOST: usize = 1_000;

/// The stored rows that could not be read. They are left out of every result, so that one does not hide the others.
#[derive(Debug)]
pub(super) struct Damage(Mutex<BTreeSet<String>>);

impl Damage {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(BTreeSet::new()))
    }

    fn ids(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was read of a row; none, with the row left out, if it could not be.
    pub(super) fn readable<T>(&self, id: &str, read: Result<T, StoreError>) -> Option<T> {
        read.inspect_err(|error| self.leave_out(id, error)).ok()
    }

    /// Leaves out the row of alert `id`, or of `near-miss ID`, `account NAME` and others. The first time it is counted.
    pub(super) fn leave_out(&self, id: &str, error: &StoreError) {
        let mut ids = self.ids();
        if ids.len() < MOST && ids.insert(id.chars().take(80).collect()) {
            metrics::UNREADABLE.get().increment(1);
            tracing::error!(row = id, %error, "a stored row cannot be read; it is left out");
        }
    }
}

impl AlertStore {
    /// The number of stored rows (alerts, near-misses, accounts and others) that could not be read since the store was opened, and the id of one. At most 1000 are counted.
    #[must_use]
    pub fn unreadable(&self) -> Option<(usize, String)> {
        let ids = self.damage.ids();
        ids.first().map(|first| (ids.len(), first.clone()))
    }
}
