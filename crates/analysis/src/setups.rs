use std::collections::BTreeSet;
use std::sync::Arc;

use vedette_core::{Camera, PolicyScope, Timeline, Timestamp};
use vedette_rules::SharedPolicy;

/// A camera and the policy for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// None where the camera was removed.
    pub camera: Option<Arc<Camera>>,
    /// None where it has no policy.
    pub policy: Option<Arc<SharedPolicy>>,
}

/// What is in force for one camera, by capture time: its versions, and those of the policies that apply to it.
#[derive(Debug, Clone)]
pub struct Setups(Timeline<Setup>);

/// The versions of a policy; none where it was removed.
pub type PolicyTimeline = Timeline<Option<Arc<SharedPolicy>>>;

impl Setups {
    /// One setup for all time.
    #[must_use]
    pub fn fixed(camera: Arc<Camera>, policy: Option<Arc<SharedPolicy>>) -> Self {
        Self(Timeline::new(Some(Setup { camera: Some(camera), policy })))
    }

    /// The setups of a camera. Its policy is its own, or else that of the first of its groups that has one. `policies` is
    /// called with the scopes that matter to it.
    #[must_use]
    pub fn of(
        versions: &Timeline<Option<Arc<Camera>>>,
        policies: impl Fn(&PolicyScope) -> Option<Arc<PolicyTimeline>>,
    ) -> Self {
        let scopes = |camera: &Arc<Camera>| {
            let own = PolicyScope::Camera(camera.id.clone());
            std::iter::once(own).chain(camera.groups.iter().cloned().map(PolicyScope::Group)).collect::<Vec<_>>()
        };
        let mut setups = Timeline::default();
        let mut starts = versions.iter().map(|(from, _)| from).skip(1);
        for (index, (from, camera)) in versions.iter().enumerate() {
            let timelines: Vec<Arc<PolicyTimeline>> =
                camera.iter().flat_map(scopes).filter_map(|scope| policies(&scope)).collect();
            // Before its first version a camera is what it was then.
            let from = if index == 0 { None } else { from };
            let until = starts.next();
            let within = |at: &Option<Timestamp>| *at > from && until.is_none_or(|until| *at < until);
            let changes = timelines.iter().flat_map(|timeline| timeline.iter().map(|(from, _)| from)).filter(within);
            for at in changes.chain([from]).collect::<BTreeSet<_>>() {
                let moment = at.unwrap_or(Timestamp::from_micros(i64::MIN));
                let policy = timelines.iter().find_map(|timeline| timeline.at(moment)?.clone());
                setups.set_from(at, Setup { camera: camera.clone(), policy });
            }
        }
        Self(setups)
    }

    /// The setup in force at a capture time.
    #[must_use]
    pub fn at(&self, captured: Timestamp) -> Option<&Setup> {
        self.0.at(captured)
    }

    /// The setups in force at a capture time or before it, newest first.
    pub(crate) fn back_from(&self, captured: Timestamp) -> impl Iterator<Item = &Setup> {
        self.0.until(captured).rev()
    }

    /// Whether the camera does not exist at a capture time.
    #[must_use]
    pub fn is_removed(&self, captured: Timestamp) -> bool {
        self.at(captured).is_none_or(|setup| setup.camera.is_none())
    }

    /// The camera as it was at a capture time, or else as it was last.
    #[must_use]
    pub fn camera(&self, captured: Timestamp) -> Option<&Arc<Camera>> {
        self.back_from(captured).find_map(|setup| setup.camera.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use vedette_core::{CameraId, FrameSize, Policy};

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn policy(version: u32) -> Option<Arc<SharedPolicy>> {
        let applies_to = PolicyScope::Group("any".into());
        let frame = FrameSize { width: 64, height: 48 };
        Some(Arc::new(SharedPolicy::new(Policy {
            applies_to,
            version,
            effective_from: at(0),
            frame,
            rules: Vec::new(),
        })))
    }

    fn timeline<T>(values: impl IntoIterator<Item = (i64, T)>) -> Timeline<T> {
        let mut timeline = Timeline::default();
        for (from, value) in values {
            timeline.set(at(from), value);
        }
        timeline
    }

    #[test]
    fn policies_follow_the_camera_and_its_groups_through_time() {
        let in_groups = |groups: &[&str]| {
            Some(Arc::new(Camera {
                groups: groups.iter().map(|&group| group.to_owned()).collect(),
                ..crate::camera::test_frame::camera()
            }))
        };
        let own = PolicyScope::Camera(CameraId::new("gate").unwrap());
        let versions = timeline([(0, in_groups(&["north", "south"])), (50, in_groups(&["south"])), (80, None)]);
        let policies = |scope: &PolicyScope| match scope {
            scope if *scope == own => Some(Arc::new(timeline([(30, policy(30)), (40, None)]))),
            PolicyScope::Group(name) if name == "north" => {
                Some(Arc::new(timeline([(10, policy(10)), (60, policy(60))])))
            }
            PolicyScope::Group(name) if name == "south" => {
                Some(Arc::new(timeline([(20, policy(20)), (70, policy(70))])))
            }
            _ => None,
        };
        let setups = Setups::of(&versions, policies);
        let version = |micros| setups.at(at(micros)).and_then(|setup| Some(setup.policy.as_ref()?.policy().version));
        let found: Vec<Option<u32>> = (0..9).map(|ten| version(ten * 10 + 5)).collect();
        let (north, own, south) = (Some(10), Some(30), Some(20));
        assert_eq!(found, [None, north, north, own, north, south, south, Some(70), None]);
        assert!(!setups.is_removed(at(-1)) && !setups.is_removed(at(79)) && setups.is_removed(at(80)));
        assert_eq!(setups.camera(at(99)).map(|camera| camera.groups.len()), Some(1));
    }
}
