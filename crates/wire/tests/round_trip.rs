//! Every message reads back as it was written, and any bytes are refused or read, never a panic.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use proptest::prelude::*;
use vedette_core::*;
use vedette_wire::*;

fn score(value: f32) -> Score {
    Score::new(value).unwrap()
}

fn camera() -> Camera {
    Camera {
        id: CameraId::new("campus-1").unwrap(),
        name: "Crossing".into(),
        purpose: "safety of the crossing".into(),
        groups: vec!["campus".into()],
        enabled: true,
        source: Some(CameraSource::Rtsp { url: "rtsp://10.0.0.1/live".into(), credential: Some("campus".into()) }),
        position: GroundPoint::new(22.531, 113.938, 1.0).unwrap(),
        address: Some("44030500100101***********".parse().unwrap()),
        calibration: Some(Calibration::ControlPoints {
            frame: FrameSize { width: 768, height: 576 },
            points: vec![ControlPoint {
                pixel: PixelPoint::new(1.0, 2.0),
                ground: GroundPoint::new(22.5, 113.9, 0.1).unwrap(),
            }],
        }),
    }
}

fn rule(id: &str, condition: Condition) -> Rule {
    Rule {
        id: RuleId::new(id).unwrap(),
        name: id.into(),
        purpose: "safety".into(),
        condition,
        classes: [ObjectClass::Person, ObjectClass::Car].into_iter().collect(),
        score: ScoreBand { enter: score(0.5), stay: score(0.25) },
        size: Some(SizeBounds { min_height: 0.05, max_height: 0.5 }),
        min_duration: Span::from_millis(500),
        gap_tolerance: Span::from_secs(1),
        cooldown: Span::from_secs(30),
        severity: Severity::High,
        schedule: Some(Schedule {
            time_zone: "Asia/Shanghai".into(),
            windows: vec![DailyWindow {
                days: vec![Weekday::Sat, Weekday::Sun],
                from: "22:00".into(),
                until: "06:00".into(),
            }],
        }),
    }
}

fn policy() -> Policy {
    let zone = vec![PixelPoint::new(0.0, 0.0), PixelPoint::new(9.0, 0.0), PixelPoint::new(0.0, 9.0)];
    let line = Condition::LineCrossing { a: zone[0], b: zone[1], direction: Direction::RightToLeft };
    Policy {
        applies_to: PolicyScope::Group("campus".into()),
        version: 4,
        effective_from: Timestamp::from_micros(17),
        frame: FrameSize { width: 768, height: 576 },
        rules: vec![
            rule("presence", Condition::Presence { zone: zone.clone() }),
            rule("line", line),
            rule("dwell", Condition::Dwell { zone: zone.clone(), duration: Span::from_secs(5) }),
            rule("count", Condition::Count { zone, at_least: 3 }),
        ],
    }
}

fn alert() -> Alert {
    let candidate = |code: &str| AddressCandidate {
        code: code.parse().unwrap(),
        text: "广东省深圳市".into(),
        distance_m: 3.5,
        confidence: 0.8,
    };
    Alert {
        id: AlertId(42),
        revision: 2,
        status: AlertStatus::Ended,
        kind: RuleKind::LineCrossing,
        severity: Severity::Medium,
        camera: CameraId::new("campus-1").unwrap(),
        rule: RuleId::new("line").unwrap(),
        rule_name: "Line".into(),
        policy_version: 4,
        started: Timestamp::from_micros(1),
        raised: Timestamp::from_micros(2),
        ended: Some(Timestamp::from_micros(3)),
        objects: vec![AlertObject {
            track: TrackId(9),
            class: ObjectClass::Person,
            score: score(0.5),
            bbox: PixelBox::new(1.0, 2.0, 3.0, 4.0),
        }],
        direction: Some(Direction::LeftToRight),
        measured: Measured { quantity: Quantity::Crossings, value: 1.0, threshold: 1.0 },
        place: Place {
            ground: GroundPoint::new(22.531, 113.938, 1.5).unwrap(),
            source: PlaceSource::Calibration,
            address: Some(AddressMatch {
                best: candidate("4403050010010100001******"),
                level: AddressLevel::Building,
                alternatives: vec![candidate("44030500100101***********")],
                base_version: "v1".into(),
                synthetic: true,
            }),
        },
        evidence: Evidence {
            captured: Timestamp::from_micros(2),
            frame: FrameSize { width: 768, height: 576 },
            video: Some(VideoRef { partition: 1, offset: 2, sequence: 3 }),
            people: vec![PixelBox::new(1.0, 2.0, 3.0, 4.0)],
            path: vec![PathPoint { at: Timestamp::from_micros(1), pixel: PixelPoint::new(5.0, 6.0) }],
        },
        quality: Quality { corrupt: true, ..Quality::default() },
        model: ModelRef { name: "nanodet-g".into(), version: "1".into() },
    }
}

#[test]
fn a_camera_reads_back() {
    assert_eq!(decode_camera(encode_camera(&camera())).unwrap(), camera());
    let pose = CameraPose {
        height_m: 8.0,
        heading_deg: 90.0,
        pitch_deg: 30.0,
        roll_deg: 0.0,
        field_of_view_deg: 60.0,
        angle_sigma_deg: 0.5,
    };
    let source = CameraSource::File { path: "a.mp4".into(), looped: true, offset: Span::from_secs(3) };
    let other = Camera { source: Some(source), calibration: Some(Calibration::Pose(pose)), address: None, ..camera() };
    assert_eq!(decode_camera(encode_camera(&other)).unwrap(), other);
}

#[test]
fn a_policy_reads_back() {
    assert_eq!(decode_policy(encode_policy(&policy())).unwrap(), policy());
    assert_eq!(policy_key(&policy().applies_to), "group/campus");
}

#[test]
fn an_alert_reads_back() {
    assert_eq!(decode_alert(encode_alert(&alert())).unwrap(), alert());
}

#[test]
fn a_state_reads_back() {
    let state = AnalysisState {
        camera: CameraId::new("campus-1").unwrap(),
        partition: 1,
        next_offset: 2,
        format: 3,
        state: vec![1, 2, 3].into(),
    };
    assert_eq!(decode_state(encode_state(&state)).unwrap(), state);
}

/// A good record with one byte changed, or cut: what bit rot and wrong producers give.
fn damaged(good: bytes::Bytes) -> impl Strategy<Value = bytes::Bytes> {
    (0..good.len(), any::<u8>(), any::<bool>()).prop_map(move |(at, byte, cut)| {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        bytes.into()
    })
}

proptest! {
    #[test]
    fn damaged_records_never_panic(
        a in damaged(encode_alert(&alert())),
        c in damaged(encode_camera(&camera())),
        p in damaged(encode_policy(&policy())),
    ) {
        let _ = (decode_alert(a), decode_camera(c), decode_policy(p));
    }
}
