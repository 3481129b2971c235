//! The versions of all cameras and of all policies.

use std::sync::Arc;

use dashmap::DashMap;
use vedette_analysis::PolicyTimeline;
use vedette_core::{Camera, CameraId, CameraVersion, PolicyScope, PolicyVersion, Timeline, Timestamp};
use vedette_rules::SharedPolicy;
use vedette_wire::policy_key;

/// The versions of a camera; none where it was removed.
pub(super) type CameraTimeline = Timeline<Option<Arc<Camera>>>;

/// Which version a tombstone takes back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TakeBack<'a> {
    /// The camera, or the key of the policy's scope.
    of: &'a str,
    /// None in a release without versions, which has one record of each.
    version: Option<Timestamp>,
}

impl<'a> TakeBack<'a> {
    /// By the key of the tombstone: `ID`, or `ID/EFFECTIVE_FROM_US`.
    pub(super) fn of(key: &'a str) -> Self {
        let later = key.rsplit_once('/').and_then(|(of, from)| Some((of, from.parse().ok()?)));
        match later {
            Some((of, micros)) if !matches!(of, "camera" | "group") => {
                Self { of, version: Some(Timestamp::from_micros(micros)) }
            }
            _ => Self { of: key, version: None },
        }
    }

    fn apply<T>(&self, timeline: &mut Timeline<T>) {
        timeline.remove(self.version.unwrap_or_default());
        // An old release may have set a time for its only record.
        if self.version.is_none() && timeline.iter().count() == 1 {
            *timeline = Timeline::default();
        }
    }
}

/// The versions of all cameras. A camera without any version was removed.
#[derive(Default)]
pub(super) struct Cameras(DashMap<CameraId, Arc<CameraTimeline>>);

impl Cameras {
    pub(super) fn set(&self, version: CameraVersion) {
        let mut timeline = self.0.entry(version.of).or_default();
        Arc::make_mut(&mut timeline).set(version.effective_from, version.content.map(Arc::new));
    }

    pub(super) fn take_back(&self, back: &TakeBack<'_>) {
        let Ok(id) = CameraId::new(back.of) else { return };
        back.apply(Arc::make_mut(&mut self.0.entry(id).or_default()));
    }

    pub(super) fn versions(&self, id: &CameraId) -> Option<Arc<CameraTimeline>> {
        self.0.get(id).map(|timeline| timeline.clone())
    }

    pub(super) fn newest(&self) -> Vec<Arc<Camera>> {
        let mut cameras: Vec<Arc<Camera>> = self.0.iter().filter_map(|timeline| timeline.newest()?.clone()).collect();
        cameras.sort_by(|a, b| a.id.cmp(&b.id));
        cameras
    }
}

/// The versions of all policies, by the key of their scope.
#[derive(Default)]
pub(super) struct Policies(DashMap<String, Arc<PolicyTimeline>>);

impl Policies {
    pub(super) fn set(&self, version: PolicyVersion) {
        let mut timeline = self.0.entry(policy_key(&version.of)).or_default();
        let shared = version.content.map(|policy| Arc::new(SharedPolicy::new(policy)));
        Arc::make_mut(&mut timeline).set(version.effective_from, shared);
    }

    pub(super) fn take_back(&self, back: &TakeBack<'_>) {
        if let Some(mut timeline) = self.0.get_mut(back.of) {
            back.apply(Arc::make_mut(&mut timeline));
        }
    }

    pub(super) fn versions(&self, scope: &PolicyScope) -> Option<Arc<PolicyTimeline>> {
        self.0.get(&policy_key(scope)).map(|timeline| timeline.clone())
    }

    /// The number of the policy in force at a time.
    pub(super) fn number_at(&self, key: &str, moment: Timestamp) -> Option<u32> {
        Some(self.0.get(key)?.at(moment)?.as_ref()?.policy().version)
    }

    /// The scopes that have a policy last, each with that.
    pub(super) fn newest(&self) -> Vec<Arc<SharedPolicy>> {
        self.0.iter().filter_map(|timeline| timeline.newest()?.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tombstone_takes_back_one_version() {
        let at = |micros| Some(Timestamp::from_micros(micros));
        for (key, of, version) in [
            ("gate", "gate", None),
            ("gate/17", "gate", at(17)),
            ("camera/17", "camera/17", None),
            ("camera/17/18", "camera/17", at(18)),
            ("group/a/b", "group/a/b", None),
            ("group/a/b/19", "group/a/b", at(19)),
        ] {
            assert_eq!(TakeBack::of(key), TakeBack { of, version }, "{key}");
        }
    }
}
