use std::collections::BTreeSet;
use std::sync::Arc;

use vedette_core::{Authorship, Camera, CameraId, LateChange, Policy, PolicyScope, Span, Timeline, Timestamp, Version};
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

/// A version of a camera or of a policy, shared by everything that uses it.
#[derive(Debug)]
pub struct SharedVersion<T> {
    /// None where it was removed.
    pub content: Option<Arc<T>>,
    /// Who made it, if known.
    pub made: Option<Arc<Authorship>>,
    /// The cameras of a policy's scope on which it is in force; all if none are named.
    pub only: Option<Arc<BTreeSet<CameraId>>>,
}

impl<T> SharedVersion<T> {
    /// A version that is in force everywhere.
    #[must_use]
    pub const fn of(content: Option<Arc<T>>) -> Self {
        Self { content, made: None, only: None }
    }

    /// The content of a version, shared.
    #[must_use]
    pub fn new<K, V>(version: Version<K, V>, share: impl FnOnce(V) -> T) -> Self {
        let only = (!version.only.is_empty()).then(|| Arc::new(version.only));
        Self {
            content: version.content.map(|content| Arc::new(share(content))),
            made: version.made.map(Arc::new),
            only,
        }
    }

    fn is_for(&self, camera: &CameraId) -> bool {
        self.only.as_ref().is_none_or(|only| only.contains(camera))
    }
}

impl<T> Clone for SharedVersion<T> {
    fn clone(&self) -> Self {
        Self { content: self.content.clone(), made: self.made.clone(), only: self.only.clone() }
    }
}

/// The versions of a camera.
pub type CameraTimeline = Timeline<SharedVersion<Camera>>;

/// The versions of a policy.
pub type PolicyTimeline = Timeline<SharedVersion<SharedPolicy>>;

impl Setups {
    /// One setup for all time.
    #[must_use]
    pub fn fixed(camera: Arc<Camera>, policy: Option<Arc<SharedPolicy>>) -> Self {
        Self(Timeline::new(Some(Setup { camera: Some(camera), policy })))
    }

    /// The setups of a camera. Its policy is its own, or else that of the first of its groups that has one. `policies` is
    /// called with the scopes that matter to it. `late` are its spans in which a change was not yet in force.
    #[must_use]
    pub fn of(
        id: &CameraId,
        versions: &CameraTimeline,
        policies: impl Fn(&PolicyScope) -> Option<Arc<PolicyTimeline>>,
        late: &[LateChange],
    ) -> Self {
        let mut setups = Timeline::default();
        let mut starts = versions.iter().map(|(from, _)| from).skip(1);
        for (index, (from, version)) in versions.iter().enumerate() {
            let camera = &version.content;
            let timelines: Vec<Arc<PolicyTimeline>> =
                camera.iter().flat_map(|camera| camera.policy_scopes()).filter_map(|scope| policies(&scope)).collect();
            // Before its first version a camera is what it was then.
            let from = if index == 0 { None } else { from };
            let until = starts.next();
            let within = |at: &Option<Timestamp>| *at > from && until.is_none_or(|until| *at < until);
            let changes = timelines.iter().flat_map(|timeline| timeline.iter().map(|(from, _)| from)).filter(within);
            for at in changes.chain([from]).collect::<BTreeSet<_>>() {
                let moment = at.unwrap_or(Timestamp::from_micros(i64::MIN));
                let in_force = |timeline: &Arc<PolicyTimeline>| {
                    timeline.until(moment).rfind(|version| version.is_for(id))?.content.clone()
                };
                let policy = timelines.iter().find_map(in_force);
                setups.set_from(at, Setup { camera: camera.clone(), policy });
            }
        }
        for late in late {
            setups.hold(late.from, late.until);
        }
        Self(setups)
    }

    /// The spans up to `last`, the last analysed frame of a camera, in which these setups differ from `before`, with which the frames were
    /// analysed: there the analysis came too late.
    #[must_use]
    pub fn late_since(&self, before: &Self, camera: &CameraId, last: Timestamp) -> Vec<LateChange> {
        let end = last + Span::from_micros(1);
        let starts = self.0.iter().chain(before.0.iter()).filter_map(|(from, _)| from);
        let starts: BTreeSet<Timestamp> = starts.filter(|from| *from < end).collect();
        let mut late: Vec<LateChange> = Vec::new();
        let mut ends = starts.iter().copied().skip(1).chain([end]);
        for from in starts.iter().copied() {
            let until = ends.next().unwrap_or(end);
            let was = before.at(from);
            if same(self.at(from), was) {
                continue;
            }
            match late.last_mut() {
                Some(open) if open.until == from => open.until = until,
                _ => late.push(LateChange { camera: camera.clone(), from, until, exact: true }),
            }
            let Some(open) = late.last_mut() else { continue };
            let held = self.at(Timestamp::from_micros(open.from.as_micros().saturating_sub(1)));
            open.exact &= same(held, was);
        }
        late
    }

    /// The same versions of the camera, each with this policy.
    #[must_use]
    pub fn with_policy(&self, policy: Option<Arc<SharedPolicy>>) -> Self {
        let mut setups = Timeline::default();
        for (from, Setup { camera, .. }) in self.0.iter() {
            setups.set_from(from, Setup { camera: camera.clone(), policy: policy.clone() });
        }
        Self(setups)
    }

    /// The versions of the camera, each with the time from which it is in force.
    pub fn cameras(&self) -> impl Iterator<Item = (Option<Timestamp>, Option<&Camera>)> {
        let mut before = None;
        self.0.iter().filter_map(move |(from, setup)| {
            let camera = setup.camera.as_deref();
            (before.replace(camera) != Some(camera)).then_some((from, camera))
        })
    }

    /// Every policy that is or was in force.
    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.0.iter().filter_map(|(_, setup)| setup.policy.as_ref().map(|policy| policy.policy()))
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

/// Whether the same is in force.
fn same(a: Option<&Setup>, b: Option<&Setup>) -> bool {
    fn is_one<T: PartialEq>(a: &Option<Arc<T>>, b: &Option<Arc<T>>) -> bool {
        match (a, b) {
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || a == b,
            (None, None) => true,
            _ => false,
        }
    }
    match (a, b) {
        (Some(a), Some(b)) => is_one(&a.camera, &b.camera) && is_one(&a.policy, &b.policy),
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use vedette_core::FrameSize;

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    fn policy(version: u32) -> SharedVersion<SharedPolicy> {
        let applies_to = PolicyScope::Group("any".into());
        let frame = FrameSize { width: 64, height: 48 };
        SharedVersion::of(Some(Arc::new(SharedPolicy::new(Policy {
            applies_to,
            version,
            effective_from: at(0),
            frame,
            rules: Vec::new(),
        }))))
    }

    fn gate() -> CameraId {
        CameraId::new("gate").unwrap()
    }

    /// Of a camera that never changes, with one policy by time.
    fn setups_of(policies: &[(i64, u32)], late: &[LateChange]) -> Setups {
        let camera = Camera { groups: vec!["any".into()], ..crate::camera::test_frame::camera() };
        let versions = timeline([(0, SharedVersion::of(Some(Arc::new(camera))))]);
        let of = timeline(policies.iter().map(|(from, version)| (*from, policy(*version))));
        let of = Arc::new(of);
        Setups::of(&gate(), &versions, |scope| matches!(scope, PolicyScope::Group(_)).then(|| of.clone()), late)
    }

    /// The version of the policy at each of these times.
    fn in_force(setups: &Setups, times: impl IntoIterator<Item = i64>) -> Vec<Option<u32>> {
        let version = |micros| setups.at(at(micros)).and_then(|setup| Some(setup.policy.as_ref()?.policy().version));
        times.into_iter().map(version).collect()
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
            SharedVersion::of(Some(Arc::new(Camera {
                groups: groups.iter().map(|&group| group.to_owned()).collect(),
                ..crate::camera::test_frame::camera()
            })))
        };
        let own = PolicyScope::Camera(gate());
        let removed = SharedVersion::of(None);
        let versions = timeline([(0, in_groups(&["north", "south"])), (50, in_groups(&["south"])), (80, removed)]);
        let policies = |scope: &PolicyScope| match scope {
            scope if *scope == own => Some(Arc::new(timeline([(30, policy(30)), (40, SharedVersion::of(None))]))),
            PolicyScope::Group(name) if name == "north" => {
                Some(Arc::new(timeline([(10, policy(10)), (60, policy(60))])))
            }
            PolicyScope::Group(name) if name == "south" => {
                Some(Arc::new(timeline([(20, policy(20)), (70, policy(70))])))
            }
            _ => None,
        };
        let setups = Setups::of(&gate(), &versions, policies, &[]);
        let found = in_force(&setups, (0..9).map(|ten| ten * 10 + 5));
        let (north, own, south) = (Some(10), Some(30), Some(20));
        assert_eq!(found, [None, north, north, own, north, south, south, Some(70), None]);
        assert!(!setups.is_removed(at(-1)) && !setups.is_removed(at(79)) && setups.is_removed(at(80)));
        assert_eq!(setups.camera(at(99)).map(|camera| camera.groups.len()), Some(1));
    }

    #[test]
    fn a_version_for_some_cameras_leaves_the_others_as_they_were() {
        let mut tried = policy(2);
        let camera = Camera { groups: vec!["any".into()], ..crate::camera::test_frame::camera() };
        let versions = timeline([(0, SharedVersion::of(Some(Arc::new(camera))))]);
        for (named, expected) in [("gate", Some(2)), ("lawn", Some(1))] {
            tried.only = Some(Arc::new([CameraId::new(named).unwrap()].into()));
            let of = Arc::new(timeline([(0, policy(1)), (10, tried.clone()), (20, policy(3))]));
            let policies = |scope: &PolicyScope| matches!(scope, PolicyScope::Group(_)).then(|| of.clone());
            let setups = Setups::of(&gate(), &versions, policies, &[]);
            assert_eq!(in_force(&setups, [5, 15, 25]), [Some(1), expected, Some(3)]);
        }
    }

    #[test]
    fn a_change_learnt_late_is_in_force_from_the_next_frame_on() {
        let late = |from, until, exact| LateChange { camera: gate(), from: at(from), until: at(until), exact };
        for (before, after, last, expected) in [
            (vec![(0, 1)], vec![(0, 1), (10, 2)], 25, vec![late(10, 26, true)]),
            (vec![(0, 1)], vec![(0, 1), (10, 2)], 9, vec![]),
            (vec![(0, 1)], vec![(0, 1), (10, 2), (20, 3)], 25, vec![late(10, 26, true)]),
            // The newer one was in force in time.
            (vec![(0, 1), (20, 3)], vec![(0, 1), (10, 2), (20, 3)], 25, vec![late(10, 20, true)]),
            // What was in force is there no more.
            (vec![(0, 1), (20, 3)], vec![(0, 1), (10, 2)], 25, vec![late(10, 26, false)]),
        ] {
            let (was, is) = (setups_of(&before, &[]), setups_of(&after, &[]));
            let found = is.late_since(&was, &gate(), at(last));
            assert_eq!(found, expected, "{before:?} {after:?} {last}");
            let corrected = setups_of(&after, &found);
            if found.iter().all(|late| late.exact) {
                assert_eq!(in_force(&corrected, 0..=last), in_force(&was, 0..=last));
                assert_eq!(corrected.late_since(&was, &gate(), at(last)), []);
            }
            assert_eq!(in_force(&corrected, last + 1..40), in_force(&is, last + 1..40));
        }
    }
}
