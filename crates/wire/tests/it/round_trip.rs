//! Every message reads back as it was written, and any bytes are refused or read, never a panic.

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use vedette_core::*;
use vedette_wire::*;

use crate::support::first_kinds;

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
        priority: Priority::High,
        source: Some(CameraSource::Rtsp {
            url: "rtsp://10.0.0.1/live".into(),
            credential: Some("campus".into()),
            login: Some(SealedLogin { user: "viewer".into(), password: "v1.3f9a1c2e77b0.c2VhbGVk".parse().unwrap() }),
        }),
        position: GroundPoint::new(22.531, 113.938, 1.0).unwrap(),
        address: Some("44030500100101***********".parse().unwrap()),
        calibration: Some(Calibration::ControlPoints {
            frame: FrameSize { width: 768, height: 576 },
            points: vec![ControlPoint {
                pixel: PixelPoint::new(1.0, 2.0),
                ground: GroundPoint::new(22.5, 113.9, 0.1).unwrap(),
            }],
        }),
        masks: vec![
            Mask {
                name: Some("Window".into()),
                frame: FrameSize { width: 640, height: 360 },
                polygon: vec![PixelPoint::new(0.0, 0.0), PixelPoint::new(9.5, 0.0), PixelPoint::new(0.0, 9.0)],
                picture_only: true,
            },
            Mask { name: None, frame: FrameSize { width: 1, height: 1 }, polygon: Vec::new(), picture_only: false },
        ],
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
            holidays: vec!["2026-10-01".into()],
            holiday_windows: vec![DailyWindow { days: vec![], from: "00:00".into(), until: "24:00".into() }],
        }),
        place_cooldown: Some(PlaceCooldown { time: Span::from_secs(300), radius: 0.25 }),
        alert: false,
    }
}

fn policy() -> Policy {
    let (p, q, r) = (PixelPoint::new(0.0, 0.0), PixelPoint::new(9.0, 0.0), PixelPoint::new(0.0, 9.0));
    let zone = Zone::Pixels(Area { outline: vec![p, q, r], holes: vec![vec![p, q, r]] });
    let at = |latitude| GroundPoint::new(latitude, 113.9, 0.0).unwrap();
    let triangle = vec![at(22.5), at(22.6), at(22.7)];
    let ground = Zone::Ground(Area { outline: triangle.clone(), holes: vec![triangle] });
    Policy {
        applies_to: PolicyScope::Group("campus".into()),
        version: 4,
        effective_from: Timestamp::from_micros(17),
        frame: FrameSize { width: 768, height: 576 },
        rules: first_kinds(&zone, &ground, ["a", "b"])
            .into_iter()
            .map(|(kind, params)| rule(kind, Condition { kind: RuleKind::named(kind), params }))
            .collect(),
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
        kind: RuleKind::named("line_crossing"),
        event_code: Some(EventCode::constant(5)),
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
        measured: Measured { quantity: Quantity::CROSSINGS, value: 1.0, threshold: 1.0 },
        place: Place {
            ground: GroundPoint::new(22.531, 113.938, 1.5).unwrap(),
            source: PlaceSource::Calibration,
            address: Some(AddressMatch {
                best: candidate("4403050010010100001******"),
                level: AddressLevel::Building,
                alternatives: vec![candidate("44030500100101***********")],
                ambiguous: true,
                road: Some(NearbyRoad { name: "合成东路".into(), distance_m: 4.5 }),
                plate: Some(NearbyPlate {
                    text: "合成东路3号".into(),
                    code: "4403050010010100002******".parse().unwrap(),
                    distance_m: 12.0,
                }),
                responsible: vec![
                    ResponsibleUnit::new("fire", "F01", "").unwrap(),
                    ResponsibleUnit::new("police", "P0101", "合成派出所一组").unwrap(),
                ],
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
        signal_loss: Some(SignalLossReason::DetectGone),
    }
}

#[test]
fn a_near_miss_reads_back_with_any_term() {
    let frame = FrameSize { width: 768, height: 576 };
    let terms = [Term::SCORE, Term::FRAME_RATE, Term::OFFSET, Term::named("something_new")];
    let video = VideoRef { partition: 3, offset: u64::MAX, sequence: 0 };
    let nearest = |video| NearestFrame {
        at: FrameAt { epoch: 5, sequence: u64::MAX, captured: Timestamp::from_micros(-7) },
        frame: FrameSize { width: 1920, height: 1080 },
        video,
        bbox: PixelBox::new(-0.5, 8.25, 30.0, 90.0),
    };
    let nearest = [None, Some(nearest(None)), Some(nearest(Some(video)))];
    let subjects = [None, Some(TrackId(0)), Some(TrackId(7))];
    for (term, (subject, nearest)) in terms.into_iter().zip(subjects.into_iter().zip(nearest).cycle()) {
        let miss = NearMiss {
            rule: RuleId::new("gate").unwrap(),
            kind: RuleKind::named("dwell"),
            policy_version: 3,
            subject,
            started: Timestamp::from_micros(1),
            ended: Timestamp::from_micros(2),
            place: PixelPoint::new(3.0, 4.0),
            term,
            value: 5.0,
            threshold: 6.0,
            nearest,
        };
        let camera = camera().id;
        let read = decode_near_miss(encode_near_miss(&camera, frame, &miss)).unwrap();
        assert_eq!(read, CameraNearMiss { camera, frame, miss });
    }
}

#[test]
fn a_near_miss_that_measured_no_number_or_has_no_proper_box_is_refused_with_the_field() {
    let frame = FrameSize { width: 768, height: 576 };
    let miss = NearMiss {
        rule: RuleId::new("gate").unwrap(),
        kind: RuleKind::named("dwell"),
        policy_version: 3,
        subject: None,
        started: Timestamp::from_micros(1),
        ended: Timestamp::from_micros(2),
        place: PixelPoint::new(3.0, 4.0),
        term: Term::SCORE,
        value: 5.0,
        threshold: 6.0,
        nearest: Some(NearestFrame {
            at: FrameAt { epoch: 1, sequence: 2, captured: Timestamp::from_micros(3) },
            frame,
            video: None,
            bbox: PixelBox::new(0.0, 0.0, 10.0, 20.0),
        }),
    };
    let refused = |change: fn(&mut NearMiss)| {
        let mut miss = miss.clone();
        change(&mut miss);
        decode_near_miss(encode_near_miss(&camera().id, frame, &miss)).unwrap_err().to_string()
    };
    for (field, text) in [
        ("value", refused(|miss| miss.value = f64::NAN)),
        ("threshold", refused(|miss| miss.threshold = f64::INFINITY)),
        ("nearest.box", refused(|miss| miss.nearest.as_mut().unwrap().bbox.width = 0.0)),
        ("nearest.frame", refused(|miss| miss.nearest.as_mut().unwrap().frame.width = 0)),
    ] {
        assert!(text.contains(field), "{field}: {text}");
    }
}

/// A process of the version before writes and reads the 25 kinds of then as one message each.
#[test]
fn the_form_of_the_version_before_is_written_beside_and_read() {
    let mut message = pb::Policy::decode(encode_policy(&policy())).unwrap();
    assert_eq!(message.rules.len(), 25);
    for rule in &mut message.rules {
        assert!(rule.when.is_some(), "{} has no message of its own", rule.kind);
        (rule.kind, rule.params) = (String::new(), None);
    }
    let before = Bytes::from(message.encode_to_vec());
    assert_eq!(decode_policy(before).unwrap(), policy());
}

#[test]
fn a_policy_reads_back_from_its_brief_form_and_is_in_it_once() {
    let params = Params::new(serde_json::json!({"at_least": 3, "text": "5s"}).as_object().unwrap().clone());
    let later = rule("new", Condition { kind: RuleKind::named("something_new"), params });
    // More digits than the format of the version before holds.
    let exact = Params::new(serde_json::json!({"below_part": 0.123_456_789_012}).as_object().unwrap().clone());
    let exact = rule("exact", Condition { kind: RuleKind::named("blurred"), params: exact });
    let mut policy = policy();
    policy.rules.extend([later, exact]);
    let brief = encode_policy_briefly(&policy);
    assert_eq!(decode_policy(brief.clone()).unwrap(), policy);
    let message = pb::Policy::decode(brief).unwrap();
    let by_name: Vec<_> = message.rules.iter().map(|rule| (rule.params.is_some(), rule.when.is_some())).collect();
    assert_eq!(by_name, [vec![(false, true); 25], vec![(true, false); 2]].concat());
}

#[test]
fn a_kind_and_parameters_of_a_later_version_read_back_as_they_are() {
    let value = serde_json::json!({"deep": [[1, 2.5], {"x": true, "y": null}], "text": "5s"});
    let params = Params::new(value.as_object().unwrap().clone());
    let later = rule("new", Condition { kind: RuleKind::named("something_new"), params });
    let policy = Policy { rules: vec![later], ..policy() };
    let bytes = encode_policy(&policy);
    assert_eq!(decode_policy(bytes.clone()).unwrap(), policy);
    // The version before refuses it: the rule has no condition that it knows.
    assert!(pb::Policy::decode(bytes).unwrap().rules[0].when.is_none());
}

#[test]
fn parameters_that_are_no_values_are_refused() {
    use prost_types::value::Kind;
    let with = |kind: Option<Kind>| {
        let mut message = pb::Policy::decode(encode_policy(&policy())).unwrap();
        let params = message.rules[0].params.as_mut().unwrap();
        params.fields.insert("it".into(), prost_types::Value { kind });
        decode_policy(message.encode_to_vec().into()).unwrap_err().to_string()
    };
    let list = |kind| Kind::ListValue(prost_types::ListValue { values: vec![prost_types::Value { kind: Some(kind) }] });
    let deep = (0..20).fold(Kind::BoolValue(true), |kind, _| list(kind));
    for (kind, said) in
        [(Some(Kind::NumberValue(f64::NAN)), "not finite"), (None, "a value is missing"), (Some(deep), "16 deep")]
    {
        let error = with(kind);
        assert!(error.contains("rules.params") && error.contains(said), "{error}");
    }
}

#[test]
fn a_camera_reads_back() {
    let first = CameraVersion::of_camera(camera(), Timestamp::default());
    assert_eq!(decode_camera(encode_camera(&first)).unwrap(), first);
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
    let later = CameraVersion::of_camera(other, Timestamp::from_micros(17));
    assert_eq!(decode_camera(encode_camera(&later)).unwrap(), later);
    let removed = CameraVersion::removed(later.of, Timestamp::from_micros(18));
    assert_eq!(decode_camera(encode_camera(&removed)).unwrap(), removed);
    assert_eq!(camera_key(&removed.of, first.effective_from), removed.of.as_str());
    assert_eq!(camera_key(&removed.of, removed.effective_from), format!("{}/18", removed.of));
}

#[test]
fn a_policy_reads_back() {
    assert_eq!(decode_policy(encode_policy(&policy())).unwrap(), policy());
    assert_eq!(policy_key(&policy().applies_to), "group/campus");
    for scope in [policy().applies_to, PolicyScope::Camera(camera().id), PolicyScope::Group("a/1".into())] {
        assert_eq!(policy_scope(&policy_key(&scope)), Some(scope));
    }
    let version = PolicyVersion::of_policy(policy());
    assert_eq!(decode_policy_version(encode_policy_version(&version)).unwrap(), version);
    let removed = PolicyVersion::removed(version.of, Timestamp::from_micros(18));
    assert_eq!(decode_policy_version(encode_policy_version(&removed)).unwrap(), removed);
    assert_eq!(policy_version_key(&removed.of, removed.effective_from), "group/campus/18");
}

#[test]
fn an_alert_reads_back() {
    assert_eq!(decode_alert(encode_alert(&alert())).unwrap(), alert());
}

#[test]
fn an_alert_of_before_there_were_units_reads() {
    use prost::Message;
    let mut message = pb::Alert::decode(encode_alert(&alert())).unwrap();
    let address = message.place.as_mut().unwrap().address.as_mut().unwrap();
    (address.ambiguous, address.road, address.plate) = (false, None, None);
    address.responsible.clear();
    let read = decode_alert(message.encode_to_vec().into()).unwrap().place.address.unwrap();
    assert!(!read.ambiguous && read.road.is_none() && read.plate.is_none() && read.responsible.is_empty());
}

#[test]
fn an_address_that_breaks_a_rule_is_refused_by_its_field() {
    let refused = |change: fn(&mut AddressMatch), field: &str| {
        let mut alert = alert();
        change(alert.place.address.as_mut().unwrap());
        let error = decode_alert(encode_alert(&alert)).unwrap_err().to_string();
        assert!(error.contains(field), "{error}");
    };
    refused(|it| it.best.confidence = 1.5, "address.confidence");
    refused(|it| it.best.distance_m = f32::NAN, "address.distance_m");
    refused(|it| it.alternatives[0].distance_m = -1.0, "address.distance_m");
    refused(|it| it.road.as_mut().unwrap().distance_m = f32::INFINITY, "address.road.distance_m");
    refused(|it| it.plate.as_mut().unwrap().distance_m = -0.1, "address.plate.distance_m");
    refused(|it| it.responsible[0].kind = "fire brigade".into(), "address.responsible");
    refused(|it| it.responsible[0].code.clear(), "address.responsible");
    refused(|it| it.responsible = vec![it.responsible[0].clone(); 65], "address.responsible");
}

fn changes() -> [AddressBaseChange; 2] {
    let effective_from = Timestamp::from_micros(1_772_352_000_000_000);
    let file = NewBase::File { version: "0f8fad5bd9cb569f".into(), name: "city-2026-03.base".into() };
    let delta = NewBase::Delta {
        from_version: "0f8fad5bd9cb569f".into(),
        to_version: "a16570867728950e".into(),
        content: vec![7; 900_000].into(),
    };
    [file, delta].map(|base| AddressBaseChange { effective_from, base })
}

#[test]
fn a_change_of_the_address_base_reads_back() {
    for change in changes() {
        assert_eq!(decode_address_change(encode_address_change(&change)).unwrap(), change);
        assert_eq!(change.key(), "city/2026-03-01T08:00:00.000000Z");
    }
}

#[test]
fn a_change_that_leads_elsewhere_is_refused() {
    let [file, delta] = changes();
    for wrong in ["", "../city.base", "/etc/passwd", ".hidden", "a\\b", "a\nb"] {
        let base = NewBase::File { version: "v1".into(), name: wrong.into() };
        let error = decode_address_change(encode_address_change(&AddressBaseChange { base, ..file.clone() }));
        assert!(error.unwrap_err().to_string().contains("base.name"), "{wrong}");
    }
    let base = NewBase::File { version: "v 1".into(), name: "a".into() };
    assert!(decode_address_change(encode_address_change(&AddressBaseChange { base, ..file })).is_err());
    let base = NewBase::Delta { from_version: "a".into(), to_version: "b".into(), content: vec![0; 900_001].into() };
    let error = decode_address_change(encode_address_change(&AddressBaseChange { base, ..delta })).unwrap_err();
    assert!(error.to_string().contains("a new base"), "{error}");
    assert!(decode_address_change(bytes::Bytes::new()).unwrap_err().to_string().contains("missing"));
}

#[test]
fn a_state_reads_back() {
    let state = AnalysisState {
        camera: CameraId::new("campus-1").unwrap(),
        partition: 1,
        next_offset: 2,
        format: 3,
        state: vec![1, 2, 3].into(),
        counts: FrameCounts { analysed: 7, shed: [(ShedReason::MaxFps, 2), (ShedReason::Late, 1)].into() },
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
        c in damaged(encode_camera(&CameraVersion::of_camera(camera(), Timestamp::default()))),
        p in damaged(encode_policy(&policy())),
        b in damaged(encode_address_change(&changes()[0])),
    ) {
        let _ = (decode_alert(a), decode_camera(c), decode_policy(p), decode_address_change(b));
    }
}
