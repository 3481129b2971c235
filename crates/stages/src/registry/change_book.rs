//! The changes of `changes`, and the late ones of `late-changes`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;
use vedette_core::{Camera, CameraId, Change, ChangeId, ChangePhase, LateChange, PolicyScope, Timestamp};

/// How long a worker holds back frames that an undecided change may concern.
pub(super) const HOLD: Duration = Duration::from_secs(5);
/// Most decided changes that are remembered.
const MOST_REMEMBERED: usize = 1_000;

/// A change, and since when this process knows it.
#[derive(Debug, Clone)]
struct Known {
    change: Arc<Change>,
    heard: Instant,
}

/// Changes by the order in which they were prepared.
#[derive(Debug, Default)]
pub(super) struct ChangeBook {
    changes: Mutex<BTreeMap<(Timestamp, ChangeId), Known>>,
    late: DashMap<CameraId, Arc<Vec<LateChange>>>,
    /// Whether the topic was read up to its end: what was committed before is on `cameras` and `policies`, but for what was not published.
    is_current: AtomicBool,
    /// The offset of the next record.
    next: AtomicU64,
}

/// An undecided change that keeps frames of a camera waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hold {
    /// The change.
    pub(crate) change: ChangeId,
    /// Frames captured from then on wait.
    pub(crate) from: Timestamp,
    /// They wait up to then.
    pub(crate) until: Instant,
}

impl ChangeBook {
    fn changes(&self) -> MutexGuard<'_, BTreeMap<(Timestamp, ChangeId), Known>> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn read_up_to(&self, next: u64) {
        self.next.store(next, Ordering::Release);
    }

    pub(super) fn read(&self) -> u64 {
        self.next.load(Ordering::Acquire)
    }

    /// Takes the next record; returns the change when it takes effect now. The first decision counts.
    pub(super) fn take(&self, change: Change) -> Option<Arc<Change>> {
        let change = Arc::new(change);
        let key = (change.prepared, change.id.clone());
        let mut changes = self.changes();
        let before = changes.get(&key);
        let was_undecided = before.is_none_or(|known| known.change.is_undecided());
        let is_next = was_undecided
            || matches!(
                (before.map(|known| &known.change.phase), &change.phase),
                (Some(ChangePhase::Committed(_)), ChangePhase::Published(_))
            );
        if !is_next {
            return None;
        }
        let heard = before.map_or_else(Instant::now, |known| known.heard);
        changes.insert(key, Known { change: change.clone(), heard });
        if changes.len() > MOST_REMEMBERED
            && let Some(oldest) = changes.iter().find(|(_, known)| !known.change.is_undecided())
        {
            let oldest = oldest.0.clone();
            changes.remove(&oldest);
        }
        let takes_effect = matches!(change.phase, ChangePhase::Committed(_)) && was_undecided;
        (takes_effect && self.is_current.load(Ordering::Relaxed)).then_some(change)
    }

    /// The topic was read up to its end: returns the committed changes whose versions may be missing elsewhere, the first time.
    pub(super) fn caught_up(&self) -> Vec<Arc<Change>> {
        if self.is_current.swap(true, Ordering::Relaxed) {
            return Vec::new();
        }
        self.unpublished()
    }

    /// Committed changes that are not known to be published, and their times.
    pub(super) fn unpublished(&self) -> Vec<Arc<Change>> {
        let changes = self.changes();
        let known = changes.values().map(|known| &known.change);
        known.filter(|change| matches!(change.phase, ChangePhase::Committed(_))).cloned().collect()
    }

    /// Changes on which nobody has decided.
    pub(super) fn undecided(&self) -> Vec<Arc<Change>> {
        let changes = self.changes();
        let open = changes.values().filter(|known| known.change.is_undecided());
        open.map(|known| known.change.clone()).collect()
    }

    /// All that are remembered, newest first.
    pub(super) fn all(&self) -> Vec<Arc<Change>> {
        self.changes().values().rev().map(|known| known.change.clone()).collect()
    }

    /// What keeps frames of a camera waiting, if anything does.
    pub(super) fn hold(&self, camera: &CameraId, newest: Option<&Camera>) -> Option<Hold> {
        let changes = self.changes();
        let open = changes.values().filter(|known| known.change.is_undecided());
        let concerning = open.filter(|known| concerns(&known.change, camera, newest));
        concerning
            .map(|known| Hold {
                change: known.change.id.clone(),
                from: known.change.earliest(),
                until: known.heard + known.change.lead.to_std() + HOLD,
            })
            .min_by_key(|hold| hold.from)
    }

    pub(super) fn note_late(&self, late: LateChange) {
        let mut known = self.late.entry(late.camera.clone()).or_default();
        let spans = Arc::make_mut(&mut known);
        match spans.binary_search_by_key(&late.from, |span| span.from) {
            Ok(same) => spans[same] = late,
            Err(index) => spans.insert(index, late),
        }
    }

    /// The late changes of a camera, by time.
    pub(super) fn late(&self, camera: &CameraId) -> Arc<Vec<LateChange>> {
        self.late.get(camera).map(|late| late.clone()).unwrap_or_default()
    }

    /// Every late change, by camera and time.
    pub(super) fn all_late(&self) -> Vec<LateChange> {
        let mut all: Vec<LateChange> = self.late.iter().flat_map(|late| late.value().to_vec()).collect();
        all.sort_by(|a, b| (&a.camera, a.from).cmp(&(&b.camera, b.from)));
        all
    }
}

/// Whether a change may change what is in force on a camera.
pub(crate) fn concerns(change: &Change, id: &CameraId, newest: Option<&Camera>) -> bool {
    let groups = newest.map_or(&[][..], |camera| &camera.groups);
    change.cameras.iter().any(|version| version.of == *id)
        || change.policies.iter().any(|version| match &version.of {
            PolicyScope::Camera(camera) => camera == id,
            PolicyScope::Group(group) => groups.contains(group),
        })
}

#[cfg(test)]
mod tests {
    use vedette_core::{PolicyVersion, Span};

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn change(phase: ChangePhase) -> Change {
        let scope = PolicyScope::Camera(CameraId::new("gate").unwrap());
        Change {
            id: ChangeId::new("c").unwrap(),
            cameras: Vec::new(),
            policies: vec![PolicyVersion::removed(scope, at(0))],
            prepared: at(1_000),
            lead: Span::from_micros(500),
            phase,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn frames_wait_for_the_first_decision_and_not_for_ever() {
        let (gate, lawn) = (CameraId::new("gate").unwrap(), CameraId::new("lawn").unwrap());
        let book = ChangeBook::default();
        assert!(book.caught_up().is_empty());
        assert!(book.take(change(ChangePhase::Prepared)).is_none());
        let hold = book.hold(&gate, None).unwrap();
        assert_eq!((hold.from, hold.until), (at(1_500), Instant::now() + Duration::from_micros(500) + HOLD));
        assert_eq!(book.hold(&lawn, None), None);
        assert!(book.take(change(ChangePhase::Committed(at(1_700)))).is_some());
        assert_eq!(book.hold(&gate, None), None);
        assert!(book.take(change(ChangePhase::Aborted("no".into()))).is_none());
        assert_eq!(book.unpublished().len(), 1);
        assert!(book.take(change(ChangePhase::Published(at(1_700)))).is_none());
        assert!(book.unpublished().is_empty() && book.undecided().is_empty());
        assert_eq!(book.all()[0].effective_from(), Some(at(1_700)));
    }

    #[test]
    fn what_was_committed_before_the_start_takes_effect_unless_it_was_published() {
        for (published, expected) in [(false, 1), (true, 0)] {
            let book = ChangeBook::default();
            for phase in [ChangePhase::Prepared, ChangePhase::Committed(at(1_700))] {
                assert!(book.take(change(phase)).is_none());
            }
            if published {
                book.take(change(ChangePhase::Published(at(1_700))));
            }
            assert_eq!(book.caught_up().len(), expected);
            assert!(book.caught_up().is_empty(), "once");
        }
    }
}
