//! Tracks that were made before give what tracking gives, for any stream and policy.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use vedette_analysis::Setups;
use vedette_core::{
    Alert, Camera, CameraId, CameraRecord, Detection, FrameAccount, FrameAt, FrameSize, ModelRef, ObjectClass,
    PixelBox, ProcessedFrame, RecordBody, Score, ShedRange, ShedReason, SignalLossReason, Span, Timestamp,
};
use vedette_detection_store::{BusPosition, DetectionStore, Part};
use vedette_rules::SharedPolicy;
use vedette_track::TrackerSettings;
use vedette_tuning::{Recording, RecordingError, Source};

const FRAME: FrameSize = FrameSize { width: 640, height: 480 };
/// Three minutes before an hour.
const BEGIN: i64 = 1_795_564_620_000_000;

fn camera() -> Arc<Camera> {
    let json =
        r#"{"id": "gate", "name": "Gate", "purpose": "safety", "position": {"longitude": 114.0, "latitude": 22.5}}"#;
    Arc::new(serde_json::from_str(json).unwrap())
}

/// Rules of several kinds, with these values.
fn policy(enter: f32, seconds: u32, at_least: u32, cooldown: u32) -> Setups {
    let zone = "[[40, 40], [600, 40], [600, 440], [40, 440]]";
    let rules = format!(
        r#"[{{"id": "a", "name": "a", "purpose": "t", "score": {{"enter": {enter}, "stay": 0.2}}, "cooldown": "{cooldown}s",
              "when": {{"kind": "line_crossing", "a": [320, 0], "b": [320, 480]}}}},
            {{"id": "b", "name": "b", "purpose": "t", "when": {{"kind": "dwell", "zone": {zone}, "duration": "{seconds}s"}}}},
            {{"id": "c", "name": "c", "purpose": "t", "when": {{"kind": "count", "zone": {zone}, "at_least": {at_least}}}}},
            {{"id": "d", "name": "d", "purpose": "t", "when": {{"kind": "presence", "zone": {zone}}}}}]"#
    );
    let text = format!(
        r#"{{"applies_to": {{"camera": "gate"}}, "version": 1, "frame": {{"width": 640, "height": 480}}, "rule": {rules}}}"#
    );
    Setups::fixed(camera(), Some(Arc::new(SharedPolicy::new(serde_json::from_str(&text).unwrap()))))
}

/// What happens at a step of the stream.
#[derive(Debug, Clone)]
enum Step {
    Frames(u64),
    Shed(u64),
    Missing(u64),
    Repeated,
    Swapped,
    Session,
    Jump(i64),
    SignalLoss,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (5_u64..120).prop_map(Step::Frames),
        1 => (1_u64..5).prop_map(Step::Shed),
        1 => (1_u64..5).prop_map(Step::Missing),
        1 => Just(Step::Repeated),
        1 => Just(Step::Swapped),
        1 => Just(Step::Session),
        1 => prop_oneof![Just(-90_i64), Just(400), -2_i64..2].prop_map(Step::Jump),
        1 => Just(Step::SignalLoss),
    ]
}

/// People who walk to and fro, as records of the bus.
fn stream(steps: &[Step], people: u32) -> Vec<CameraRecord> {
    let (mut records, mut epoch, mut sequence, mut previous) = (Vec::<CameraRecord>::new(), 7_u64, 0_u64, None);
    let mut micros = BEGIN;
    let id = CameraId::new("gate").unwrap();
    let model = ModelRef { name: "m".into(), version: "1".into() };
    let record = |at, body| CameraRecord { camera: id.clone(), at, model: model.clone(), body };
    for step in steps {
        let shed = match *step {
            Step::Shed(count) => vec![ShedRange { first: sequence, count, reason: ShedReason::Overload }],
            _ => Vec::new(),
        };
        match *step {
            Step::Frames(_) => {}
            Step::Shed(count) => sequence += count,
            Step::Missing(count) => {
                sequence += count;
                previous = Some(sequence - 1);
            }
            Step::Repeated => records.extend(records.last().cloned()),
            Step::Swapped if records.len() > 1 => {
                let last = records.len() - 1;
                records.swap(last - 1, last);
            }
            Step::Swapped => {}
            Step::Session => (epoch, sequence, previous) = (epoch + 1, 0, None),
            Step::Jump(seconds) => micros += seconds * 1_000_000,
            Step::SignalLoss => {
                let at = FrameAt { epoch: 0, sequence: 0, captured: Timestamp::from_micros(micros) };
                records.push(record(at, RecordBody::SignalLoss(SignalLossReason::NoData)));
            }
        }
        let count = if let Step::Frames(count) = step { *count } else { 1 };
        for number in 0..count {
            micros += 200_000;
            let at = FrameAt { epoch, sequence, captured: Timestamp::from_micros(micros) };
            let shed = if number == 0 { shed.clone() } else { Vec::new() };
            let detections = (0..people).map(|person| walker(person, micros - BEGIN)).collect();
            let account = Some(FrameAccount { previous, shed });
            let frame = ProcessedFrame { detections, account, ..ProcessedFrame::empty(FRAME) };
            records.push(record(at, RecordBody::Processed(frame)));
            previous = Some(sequence);
            sequence += 1;
        }
    }
    records
}

fn walker(person: u32, micros: i64) -> Detection {
    let way = (micros as f32 / 1e6) * (20.0 + 9.0 * person as f32) + 131.0 * person as f32;
    let x = (way % 1_200.0 - 600.0).abs();
    Detection {
        class: ObjectClass::Person,
        score: Score::new(0.55 + 0.4 * (way / 97.0).sin().abs()).unwrap(),
        bbox: PixelBox::new(x, 60.0 + 90.0 * person as f32, 40.0, 100.0),
    }
}

fn recording(source: Source) -> Recording<'static> {
    Recording::new(source)
}

fn stored(records: &[CameraRecord], folder: &std::path::Path, segment: usize) -> Vec<Part> {
    let store = DetectionStore::create(folder).unwrap();
    let id = CameraId::new("gate").unwrap();
    let mut writer = store.writer(&id).unwrap();
    let positions: Vec<BusPosition> =
        (0..records.len() as u64).map(|offset| BusPosition { partition: 0, offset }).collect();
    for (records, positions) in records.chunks(segment).zip(positions.chunks(segment)) {
        writer.append(records, positions).unwrap();
    }
    store.recorded(&id).unwrap().parts
}

fn ids(alerts: &[Alert]) -> Vec<u128> {
    alerts.iter().map(|alert| alert.id.0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn stored_tracks_give_what_tracking_gives(
        steps in vec(step(), 4..24), people in 0_u32..5, segment in 20_usize..400,
        values in vec((0.3_f32..0.95, 1_u32..20, 1_u32..5, 0_u32..30), 2..4),
    ) {
        let records = stream(&steps, people);
        let drafts: Vec<Setups> = values.into_iter().map(|(enter, dwell, count, rest)| policy(enter, dwell, count, rest)).collect();
        let plain = recording(Source::from(records.clone()));
        let expected: Vec<Vec<Alert>> = drafts.iter().map(|draft| plain.alerts(draft).unwrap()).collect();
        let folder = tempfile::tempdir().unwrap();
        let parts = stored(&records, folder.path(), segment);
        let count = parts.len();
        // In memory, made for the store, taken from it, and the latter only for the last part.
        let mut in_memory = recording(Source::from(records));
        in_memory.track(&drafts[0]).unwrap();
        let mut first = recording(Source::Stored { parts: parts.clone(), from: 0, within: None });
        let made = first.track(&drafts[0]).unwrap();
        prop_assert_eq!((made.reused, made.made), (0, count));
        let mut again = recording(Source::Stored { parts: parts.clone(), from: 0, within: None });
        let reused = again.track(&drafts[1]).unwrap();
        prop_assert_eq!((reused.reused, reused.made), (count, 0), "they do not depend on the policy");
        let mut held = recording(Source::Stored { parts, from: 0, within: None });
        held.track(&drafts[0]).unwrap();
        prop_assert!(held.hold(1).unwrap() == 0 && !held.is_held());
        prop_assert!(held.hold(usize::MAX).unwrap() > 0 && held.is_held());
        for (draft, expected) in drafts.iter().zip(&expected) {
            for recording in [&in_memory, &first, &again, &held] {
                prop_assert_eq!(&recording.alerts(draft).unwrap(), expected);
            }
        }
    }
}

/// Three minutes of an hour, and two of the next.
fn two_hours() -> Vec<CameraRecord> {
    stream(&[Step::Frames(1_500)], 3)
}

#[test]
fn a_window_has_the_track_numbers_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let parts = stored(&two_hours(), folder.path(), 300);
    assert_eq!(parts.len(), 2);
    let setups = policy(0.5, 3, 2, 1);
    let whole = recording(Source::from(two_hours())).alerts(&setups).unwrap();
    let hour = parts[1].hour().start();
    for _ in 0..2 {
        let mut window = recording(Source::Stored { parts: parts.clone(), from: 1, within: None });
        assert!(!window.track(&setups).unwrap().begins_anew);
        let alerts = window.alerts(&setups).unwrap();
        let later = |alert: &&Alert| alert.rule.as_str() == "a" && alert.started >= hour;
        let crossings: Vec<Alert> = whole.iter().filter(later).cloned().collect();
        assert!(crossings.len() > 5, "{}", crossings.len());
        let found: Vec<Alert> = alerts.iter().filter(later).cloned().collect();
        assert_eq!(ids(&found), ids(&crossings));
    }
}

#[test]
fn a_cut_window_has_the_alerts_of_the_whole_whether_it_is_held_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let parts = stored(&two_hours(), folder.path(), 300);
    let setups = policy(0.5, 3, 2, 1);
    let whole = recording(Source::from(two_hours())).alerts(&setups).unwrap();
    let hour = parts[1].hour().start();
    // It begins and ends in the middle of a part.
    let (from, until) = (hour - Span::from_secs(90), hour + Span::from_secs(60));
    let mut window = recording(Source::Stored { parts, from: 0, within: Some((from, until)) });
    window.track(&setups).unwrap();
    let read = window.alerts(&setups).unwrap();
    window.hold(usize::MAX).unwrap();
    assert_eq!(window.alerts(&setups).unwrap(), read);
    // What began within, and ended before its end.
    let within = |alert: &&Alert| {
        let (first, last) = (from + Span::from_secs(10), until - Span::from_secs(5));
        alert.rule.as_str() == "a" && alert.started > first && alert.ended.is_some_and(|ended| ended < last)
    };
    // The points of a trajectory are chosen from its first frame on, which may be another one.
    let of = |alerts: &[Alert]| -> Vec<_> {
        alerts
            .iter()
            .filter(within)
            .map(|alert| (alert.id, alert.raised, alert.measured, alert.objects.clone()))
            .collect()
    };
    let expected = of(&whole);
    assert!(expected.len() > 5, "{}", expected.len());
    assert_eq!(of(&read), expected);
    let (first, last) = window.source.span().unwrap();
    assert!(first == from && last == until);
}

#[test]
fn an_analysis_that_nobody_waits_for_ends() {
    let mut given_up = recording(Source::from(two_hours()));
    given_up.stop = Arc::new(true.into());
    let setups = policy(0.5, 3, 2, 1);
    assert!(matches!(given_up.alerts(&setups), Err(RecordingError::Stopped)));
    assert!(matches!(given_up.track(&setups), Err(RecordingError::Stopped)));
}

#[test]
fn tracks_of_other_settings_are_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let parts = stored(&two_hours(), folder.path(), 300);
    let setups = policy(0.5, 3, 2, 1);
    let source = || Source::Stored { parts: parts.clone(), from: 0, within: None };
    recording(source()).track(&setups).unwrap();
    let moved = Camera { name: "Moved".into(), ..Camera::clone(&camera()) };
    let other_camera = Setups::fixed(Arc::new(moved), None);
    assert_eq!(recording(source()).track(&setups).unwrap().made, 0);
    let settings = TrackerSettings { confirm_hits: 2, ..TrackerSettings::default() };
    let mut other_settings = recording(source());
    other_settings.tracker = Arc::new(settings);
    assert_eq!(other_settings.track(&setups).unwrap().made, 2);
    assert_eq!(recording(source()).track(&other_camera).unwrap().made, 2);
    // Those of the camera as it was are made again, and give the same.
    let mut again = recording(source());
    assert_eq!(again.track(&setups).unwrap().made, 2);
    let plain = recording(Source::from(two_hours())).alerts(&setups).unwrap();
    assert_eq!(again.alerts(&setups).unwrap(), plain);
}
