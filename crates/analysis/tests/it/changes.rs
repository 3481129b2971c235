//! Policies and cameras that change while frames flow: each frame is analysed with what was in force at its capture time, whatever is known
//! besides, and wherever the analysis is interrupted.

use std::sync::Arc;

use vedette_address::AddressBase;
use vedette_analysis::{
    CameraAnalysis, Outcome, PolicyTimeline, STATE_FORMAT, Serving, SetupError, Setups, SharedVersion, record_line,
};
use vedette_core::{
    Alert, Camera, CameraRecord, FrameSize, Mask, PixelPoint, Policy, Score, ScoreBand, Span, Timeline, Timestamp,
};
use vedette_rules::SharedPolicy;
use vedette_wire::encode_alert;

use crate::support::{cameras, policies, root};

/// The demo's camera and its frames.
struct Site {
    camera: Camera,
    policy: Policy,
    base: Arc<AddressBase>,
    frames: Vec<CameraRecord>,
}

/// What is in force: each camera and policy from a number of seconds after the first frame on.
#[derive(Clone, Default)]
struct Versions {
    cameras: Vec<(i64, Option<Arc<Camera>>)>,
    policies: Vec<(i64, Option<Arc<SharedPolicy>>)>,
}

impl Site {
    fn new() -> Self {
        let demo = root().join("deploy/demo");
        let text = std::fs::read_to_string(root().join("tests/golden/vtest-detections.jsonl")).unwrap();
        Self {
            camera: cameras(&demo.join("cameras.toml")).remove(0),
            policy: policies(&demo.join("policies.toml")).remove(0),
            base: Arc::new(AddressBase::open(demo.join("address.base")).unwrap()),
            frames: text.lines().map(|line| record_line::from_line(line).unwrap()).collect(),
        }
    }

    fn at(&self, secs: i64) -> Timestamp {
        self.frames[0].at.captured + Span::from_secs(secs)
    }

    /// The demo's policy, with other scores.
    fn policy(&self, enter: f32) -> Option<Arc<SharedPolicy>> {
        let score = Score::new(enter).unwrap();
        let mut policy = self.policy.clone();
        for rule in &mut policy.rules {
            rule.score = ScoreBand { enter: score, stay: score };
        }
        Some(Arc::new(SharedPolicy::new(policy)))
    }

    /// A policy that no camera can use.
    fn unusable(&self) -> Option<Arc<SharedPolicy>> {
        let mut policy = self.policy.clone();
        policy.rules[0].purpose = String::new();
        Some(Arc::new(SharedPolicy::new(policy)))
    }

    /// The versions of a camera and a policy: changed, rolled back, removed and added again, invalid, moved.
    fn versions(&self) -> Versions {
        let moved = Camera { calibration: None, name: "moved".into(), ..self.camera.clone() };
        let (camera, moved) = (Some(Arc::new(self.camera.clone())), Some(Arc::new(moved)));
        Versions {
            cameras: vec![(-100, camera.clone()), (30, moved), (42, camera)],
            policies: vec![
                (-100, self.policy(0.5)),
                (9, self.policy(0.2)),
                (16, self.policy(0.5)),
                (22, None),
                (26, self.policy(0.3)),
                (34, self.unusable()),
                (38, self.policy(0.6)),
            ],
        }
    }

    fn setups(&self, versions: &Versions) -> Setups {
        let mut cameras = Timeline::default();
        for (secs, camera) in &versions.cameras {
            cameras.set(self.at(*secs), SharedVersion::of(camera.clone()));
        }
        let mut policies = PolicyTimeline::default();
        for (secs, policy) in &versions.policies {
            policies.set(self.at(*secs), SharedVersion::of(policy.clone()));
        }
        let policies = Arc::new(policies);
        Setups::of(&self.camera.id, &cameras, |scope| (*scope == self.policy.applies_to).then(|| policies.clone()), &[])
    }

    fn take(&self, analysis: &mut CameraAnalysis, frame: &CameraRecord, setups: &Setups) -> Outcome {
        analysis.take(frame, Serving { setups, base: &|_| Some(self.base.clone()) })
    }

    fn replay(&self, setups: &Setups) -> Vec<Outcome> {
        let mut analysis = begin(&self.frames[0], setups);
        self.frames.iter().map(|frame| self.take(&mut analysis, frame, setups)).collect()
    }
}

fn begin(frame: &CameraRecord, setups: &Setups) -> CameraAnalysis {
    CameraAnalysis::at(setups, frame.at.captured, &Default::default()).unwrap().unwrap()
}

fn alerts(outcomes: &[Outcome]) -> Vec<Alert> {
    outcomes.iter().flat_map(|outcome| outcome.alerts.clone()).collect()
}

fn bytes(outcomes: &[Outcome]) -> Vec<Vec<u8>> {
    alerts(outcomes).iter().map(|alert| encode_alert(alert).to_vec()).collect()
}

#[test]
fn what_will_be_in_force_later_changes_nothing_before() {
    let site = Site::new();
    let versions = site.versions();
    let expected = bytes(&site.replay(&site.setups(&versions)));
    assert!(expected.len() > 8, "{} alerts are few", expected.len());

    // Live: a version is known a second before it is in force.
    let known = |secs: i64| Versions {
        cameras: versions.cameras.iter().filter(|(from, _)| *from <= secs + 1).cloned().collect(),
        policies: versions.policies.iter().filter(|(from, _)| *from <= secs + 1).cloned().collect(),
    };
    let (mut analysis, mut outcomes) = (begin(&site.frames[0], &site.setups(&known(0))), Vec::new());
    for frame in &site.frames {
        let secs = frame.at.captured.since(site.at(0)).as_micros().div_euclid(1_000_000);
        outcomes.push(site.take(&mut analysis, frame, &site.setups(&known(secs))));
    }
    assert_eq!(bytes(&outcomes), expected);

    // The newest policy for all frames, which is what a worker did that began again after a change.
    let newest = Versions { policies: vec![(-100, versions.policies[6].1.clone())], ..versions };
    assert_ne!(bytes(&site.replay(&site.setups(&newest))), expected);
}

#[test]
fn an_interruption_at_any_frame_changes_nothing_where_setups_change() {
    let site = Site::new();
    let setups = site.setups(&site.versions());
    let expected = bytes(&site.replay(&setups));
    for cut in (0..site.frames.len()).step_by(11) {
        let (before, after) = site.frames.split_at(cut);
        let mut analysis = begin(&site.frames[0], &setups);
        let mut outcomes: Vec<Outcome> = before.iter().map(|frame| site.take(&mut analysis, frame, &setups)).collect();
        // Another process reads the versions anew.
        let again = site.setups(&site.versions());
        let mut analysis = CameraAnalysis::restore(&again, STATE_FORMAT, &analysis.save().unwrap()).unwrap();
        outcomes.extend(after.iter().map(|frame| site.take(&mut analysis, frame, &again)));
        assert_eq!(bytes(&outcomes), expected, "cut at frame {cut}");
    }
}

#[test]
fn a_policy_that_cannot_be_used_leaves_the_one_before_in_force_wherever_the_analysis_begins() {
    let site = Site::new();
    let versions = site.versions();
    let outcomes = site.replay(&site.setups(&versions));
    let refused: Vec<&SetupError> = outcomes.iter().filter_map(|outcome| outcome.refused.as_ref()).collect();
    assert!(!refused.is_empty() && refused.iter().all(|error| error.to_string().contains("purpose")), "{refused:?}");

    let without = Versions {
        policies: versions.policies.iter().filter(|(from, _)| *from != 34).cloned().collect(),
        ..versions.clone()
    };
    assert_eq!(bytes(&outcomes), bytes(&site.replay(&site.setups(&without))));
    let late: Vec<CameraRecord> =
        site.frames.iter().filter(|frame| frame.at.captured >= site.at(35)).cloned().collect();
    let site = Site { frames: late, ..site };
    let (setups, without) = (versions.clone(), without);
    // Times count from the first frame of the whole recording.
    let shift = |versions: Versions| Versions {
        cameras: versions.cameras.into_iter().map(|(from, camera)| (from - 35, camera)).collect(),
        policies: versions.policies.into_iter().map(|(from, policy)| (from - 35, policy)).collect(),
    };
    let setups = site.setups(&shift(setups));
    assert_eq!(bytes(&site.replay(&setups)), bytes(&site.replay(&site.setups(&shift(without)))));
}

#[test]
fn alerts_end_with_their_policy() {
    let site = Site::new();
    let versions = site.versions();
    let outcomes = site.replay(&site.setups(&versions));
    let alerts = alerts(&outcomes);
    let raised_in = |from: i64, until: i64| {
        alerts.iter().filter(|alert| alert.raised >= site.at(from) && alert.raised < site.at(until)).count()
    };
    assert_eq!(raised_in(22, 26), 0, "no policy, no alert");
    assert!(raised_in(9, 16) > 0 && raised_in(26, 34) > 0);
    let open = |alert: &&Alert| alert.raised < site.at(22) && alert.ended.is_none();
    let left_open = alerts.iter().filter(open).filter(|alert| {
        let ended = |other: &&Alert| other.id == alert.id && other.ended.is_some();
        !alerts.iter().any(|other| ended(&other))
    });
    assert_eq!(left_open.count(), 0);
}

/// The right part of the picture, drawn on one of half its size.
const MASKED_FROM: f32 = 300.0;

fn masked(camera: &Camera, picture_only: bool) -> Option<Arc<Camera>> {
    let half = |x: f32, y: f32| PixelPoint::new(x / 2.0, y / 2.0);
    let polygon = vec![half(MASKED_FROM, 0.0), half(768.0, 0.0), half(768.0, 576.0), half(MASKED_FROM, 576.0)];
    let mask = Mask { name: None, frame: FrameSize { width: 384, height: 288 }, polygon, picture_only };
    Some(Arc::new(Camera { masks: vec![mask], ..camera.clone() }))
}

/// The boxes that are pixelated in its picture are those of everybody seen.
fn without_people(outcomes: &[Outcome]) -> Vec<Alert> {
    let mut alerts = alerts(outcomes);
    alerts.iter_mut().for_each(|alert| alert.evidence.people.clear());
    alerts
}

#[test]
fn what_a_mask_hides_while_it_is_in_force_is_as_if_it_were_not_detected() {
    let mut site = Site::new();
    let plain = Some(Arc::new(site.camera.clone()));
    let policies = vec![(-100, site.policy(0.5))];
    let of = |cameras| Versions { cameras, policies: policies.clone() };
    // A version of the camera of its own, as the masked ones are: each starts its ground anew.
    let picture_only = of(vec![(-100, plain.clone()), (15, masked(&site.camera, true)), (35, plain.clone())]);
    let hiding = site.setups(&of(vec![(-100, plain.clone()), (15, masked(&site.camera, false)), (35, plain)]));
    let picture_only = site.setups(&picture_only);

    let outcomes = site.replay(&hiding);
    let all = site.replay(&picture_only);
    assert!(all.iter().all(|outcome| outcome.masked == 0));
    let (from, until) = (site.at(15), site.at(35));
    let mut hidden = 0;
    for record in site.frames.iter_mut().filter(|record| (from..until).contains(&record.at.captured)) {
        let Some(frame) = record.processed_mut() else { continue };
        let before = frame.detections.len();
        frame.detections.retain(|detection| detection.bbox.anchor().x < MASKED_FROM);
        hidden += before - frame.detections.len();
    }
    assert!(hidden > 50, "{hidden} detections are few");
    assert_eq!(outcomes.iter().map(|outcome| outcome.masked as usize).sum::<usize>(), hidden);
    let expected = without_people(&site.replay(&picture_only));
    assert_eq!(without_people(&outcomes), expected);
    assert_ne!(without_people(&all), expected, "the mask hides nothing that matters, so this shows nothing");
}

#[test]
fn a_version_with_an_invalid_mask_is_refused_and_the_one_before_stays() {
    let site = Site::new();
    let plain = Some(Arc::new(site.camera.clone()));
    let mut wrong = Camera::clone(&masked(&site.camera, false).unwrap());
    wrong.masks[0].polygon.truncate(2);
    let policies = vec![(-100, site.policy(0.5))];
    let cameras = vec![(-100, plain.clone()), (15, Some(Arc::new(wrong)))];
    let outcomes = site.replay(&site.setups(&Versions { cameras, policies: policies.clone() }));
    let refused: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.refused.as_ref()).collect();
    assert_eq!(refused.iter().map(|error| error.mistakes[0].code).collect::<Vec<_>>(), ["camera.mask.corners"]);
    let expected = site.replay(&site.setups(&Versions { cameras: vec![(-100, plain)], policies }));
    assert_eq!(bytes(&outcomes), bytes(&expected));
}
