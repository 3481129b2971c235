//! The versions of all cameras and of all policies.

use std::sync::Arc;

use dashmap::DashMap;
use vedette_analysis::{CameraTimeline, PolicyTimeline, SharedVersion};
use vedette_core::{Camera, CameraId, CameraVersion, PolicyScope, PolicyVersion, Timeline, Timestamp, Version};
use vedette_rules::SharedPolicy;
use vedette_wire::{policy_key, policy_scope};

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
        let mut timeline = self.0.entry(version.of.clone()).or_default();
        Arc::make_mut(&mut timeline).set(version.effective_from, SharedVersion::new(version, |camera| camera));
    }

    pub(super) fn take_back(&self, back: &TakeBack<'_>) {
        let Ok(id) = CameraId::new(back.of) else { return };
        back.apply(Arc::make_mut(&mut self.0.entry(id).or_default()));
    }

    /// All versions, by camera and time.
    pub(super) fn history(&self) -> Vec<CameraVersion> {
        let mut versions: Vec<CameraVersion> = Vec::new();
        for timeline in &self.0 {
            versions.extend(history(timeline.key(), timeline.value(), Camera::clone));
        }
        versions.sort_by(|a, b| (&a.of, a.effective_from).cmp(&(&b.of, b.effective_from)));
        versions
    }

    pub(super) fn versions(&self, id: &CameraId) -> Option<Arc<CameraTimeline>> {
        self.0.get(id).map(|timeline| timeline.clone())
    }

    pub(super) fn newest(&self) -> Vec<Arc<Camera>> {
        let mut cameras: Vec<Arc<Camera>> =
            self.0.iter().filter_map(|timeline| timeline.newest()?.content.clone()).collect();
        cameras.sort_by(|a, b| a.id.cmp(&b.id));
        cameras
    }
}

/// The versions of all policies, by scope.
#[derive(Default)]
pub(super) struct Policies(DashMap<PolicyScope, Arc<PolicyTimeline>>);

impl Policies {
    pub(super) fn set(&self, version: PolicyVersion) {
        let mut timeline = self.0.entry(version.of.clone()).or_default();
        Arc::make_mut(&mut timeline).set(version.effective_from, SharedVersion::new(version, SharedPolicy::new));
    }

    pub(super) fn take_back(&self, back: &TakeBack<'_>) {
        let Some(scope) = policy_scope(back.of) else { return };
        if let Some(mut timeline) = self.0.get_mut(&scope) {
            back.apply(Arc::make_mut(&mut timeline));
        }
    }

    pub(super) fn versions(&self, scope: &PolicyScope) -> Option<Arc<PolicyTimeline>> {
        self.0.get(scope).map(|timeline| timeline.clone())
    }

    /// The number of the policy in force at a time.
    pub(super) fn number_at(&self, scope: &PolicyScope, moment: Timestamp) -> Option<u32> {
        Some(self.0.get(scope)?.at(moment)?.content.as_ref()?.policy().version)
    }

    /// Every scope that has or had a policy.
    pub(super) fn scopes(&self) -> Vec<PolicyScope> {
        let mut scopes: Vec<PolicyScope> = self.0.iter().map(|timeline| timeline.key().clone()).collect();
        scopes.sort_by_cached_key(policy_key);
        scopes
    }

    /// All versions, by scope and time.
    pub(super) fn history(&self) -> Vec<PolicyVersion> {
        let mut versions: Vec<PolicyVersion> = Vec::new();
        for timeline in &self.0 {
            versions.extend(history(timeline.key(), timeline.value(), |policy| policy.policy().clone()));
        }
        versions.sort_by_cached_key(|version| (policy_key(&version.of), version.effective_from));
        versions
    }

    /// The newest policy of each scope that has one.
    pub(super) fn newest(&self) -> Vec<Arc<SharedPolicy>> {
        self.0.iter().filter_map(|timeline| timeline.newest()?.content.clone()).collect()
    }
}

/// The versions of one camera or policy, oldest first.
pub(super) fn history<K: Clone, T, V>(
    of: &K,
    timeline: &Timeline<SharedVersion<T>>,
    copy: impl Fn(&T) -> V + Copy,
) -> impl Iterator<Item = Version<K, V>> {
    timeline.iter().map(move |(from, version)| Version {
        of: of.clone(),
        effective_from: from.unwrap_or_default(),
        content: version.content.as_deref().map(copy),
        made: version.made.as_deref().cloned(),
        only: version.only.as_deref().cloned().unwrap_or_default(),
    })
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
