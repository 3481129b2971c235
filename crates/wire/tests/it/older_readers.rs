//! What this version writes, as release 8dbab3e reads it: by the schemas of then (`tests/upgrade/8dbab3e/proto`), in which what came
//! later is unknown. While a site is upgraded, its processes are of both versions.

use std::path::Path;
use std::sync::OnceLock;

use bytes::Bytes;
use protox::prost::Message;
use protox::prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};
use vedette_core::*;
use vedette_wire::*;

use crate::support::first_kinds;

fn schemas() -> &'static DescriptorPool {
    static SCHEMAS: OnceLock<DescriptorPool> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/upgrade/8dbab3e/proto");
        let files = std::fs::read_dir(root.join("vedette/v1")).unwrap().map(|file| file.unwrap().path());
        let set = protox::compile(files.collect::<Vec<_>>(), [root]).unwrap();
        DescriptorPool::from_file_descriptor_set(set).unwrap()
    })
}

/// The record as a reader of then has it: without what it does not know.
fn as_read_then(message: &str, bytes: Bytes) -> Bytes {
    let schema = schemas().get_message_by_name(&format!("vedette.v1.{message}")).unwrap();
    known(&DynamicMessage::decode(schema, bytes).unwrap()).encode_to_vec().into()
}

fn known(message: &DynamicMessage) -> DynamicMessage {
    let mut known = DynamicMessage::new(message.descriptor());
    for (field, value) in message.fields() {
        known.set_field(&field, value_known(value));
    }
    known
}

fn value_known(value: &Value) -> Value {
    match value {
        Value::Message(message) => Value::Message(known(message)),
        Value::List(values) => Value::List(values.iter().map(value_known).collect()),
        other => other.clone(),
    }
}

fn rule(kind: &'static str, params: Params) -> Rule {
    Rule {
        id: RuleId::new(kind).unwrap(),
        name: kind.into(),
        purpose: "safety".into(),
        condition: Condition { kind: RuleKind::named(kind), params },
        classes: [ObjectClass::Person].into_iter().collect(),
        score: ScoreBand { enter: Score::new(0.5).unwrap(), stay: Score::new(0.25).unwrap() },
        size: None,
        min_duration: Span::from_millis(500),
        gap_tolerance: Span::from_secs(1),
        cooldown: Span::from_secs(30),
        severity: Severity::High,
        schedule: None,
        place_cooldown: None,
        alert: true,
    }
}

fn policy(rules: Vec<Rule>) -> Policy {
    Policy {
        applies_to: PolicyScope::Group("campus".into()),
        version: 4,
        effective_from: Timestamp::from_micros(17),
        frame: FrameSize { width: 768, height: 576 },
        rules,
    }
}

/// Each kind of then, with all of its parameters.
fn rules_of_then() -> Vec<Rule> {
    let corners = vec![PixelPoint::new(0.0, 0.0), PixelPoint::new(9.0, 0.0), PixelPoint::new(0.0, 9.0)];
    let zone = Zone::Pixels(Area { outline: corners, holes: Vec::new() });
    first_kinds(&zone, &zone, ["dwell", "count"]).into_iter().map(|(kind, params)| rule(kind, params)).collect()
}

/// The conditions that a reader of then finds in each rule; it wants one.
fn conditions(policy: Bytes) -> Vec<Vec<String>> {
    let schema = schemas().get_message_by_name("vedette.v1.Policy").unwrap();
    let message = DynamicMessage::decode(schema, policy).unwrap();
    let rules = message.get_field_by_name("rules").unwrap();
    let of_rule = |rule: &Value| {
        let rule = rule.as_message().unwrap();
        let descriptor = rule.descriptor();
        let when = descriptor.oneofs().find(|oneof| oneof.name() == "when").unwrap();
        let there = when.fields().filter(|field| rule.has_field(field));
        there.map(|field| field.name().to_owned()).collect()
    };
    rules.as_list().unwrap().iter().map(of_rule).collect()
}

#[test]
fn a_policy_of_the_kinds_of_then_says_the_same_to_a_reader_of_then() {
    let policy = policy(rules_of_then());
    let read = as_read_then("Policy", encode_policy(&policy));
    let kinds: Vec<_> = policy.rules.iter().map(|rule| vec![rule.condition.kind.to_string()]).collect();
    assert_eq!(conditions(read.clone()), kinds);
    assert!(pb_has_no_kind(&read), "the form of then has no kind by name");
    assert_eq!(decode_policy(read).unwrap(), policy);
}

fn pb_has_no_kind(bytes: &Bytes) -> bool {
    let message = pb::Policy::decode(bytes.clone()).unwrap();
    message.rules.iter().all(|rule| rule.kind.is_empty() && rule.params.is_none())
}

/// A policy with a kind that came later is refused whole, for the condition that it lacks: the reader of then puts it among the dead
/// letters and keeps the policy that it has.
#[test]
fn a_policy_with_a_later_kind_is_refused_by_a_reader_of_then() {
    for later in ["queue", "congestion", "something_new"] {
        let mut rules = rules_of_then();
        rules.push(rule(later, Params::default().with("at_least", 3_u32)));
        let read = as_read_then("Policy", encode_policy(&policy(rules)));
        let conditions = conditions(read);
        assert_eq!(conditions.iter().map(Vec::len).collect::<Vec<_>>(), [vec![1; 25], vec![0]].concat(), "{later}");
    }
}

fn record(body: RecordBody) -> CameraRecord {
    CameraRecord {
        camera: CameraId::new("gate").unwrap(),
        at: FrameAt { epoch: 1, sequence: 9, captured: Timestamp::from_micros(3) },
        model: ModelRef { name: "m".into(), version: "1".into() },
        body,
    }
}

#[test]
fn detections_hold_nothing_that_a_reader_of_then_does_not_know() {
    let size = FrameSize { width: 768, height: 576 };
    let shed = |reason| ShedRange { first: 4, count: 6, reason };
    let account = |shed: ShedRange| FrameAccount { previous: Some(3), shed: vec![shed] };
    let detection = Detection {
        class: ObjectClass::Person,
        score: Score::new(0.75).unwrap(),
        bbox: PixelBox::new(1.0, 2.0, 3.0, 4.0),
    };
    let picture = PictureStats { brightness: 100.5, contrast: 40.0, sharpness: 7.0, change: Some(0.5), grid: [7; _] };
    let processed = ProcessedFrame {
        detections: vec![detection],
        account: Some(FrameAccount { previous: Some(8), shed: Vec::new() }),
        picture: Some(picture),
        video: Some(VideoRef { partition: 1, offset: 2, sequence: 3 }),
        latency: Some(StageLatency::default()),
        ..ProcessedFrame::empty(size)
    };
    let mut records =
        vec![record(RecordBody::Processed(processed)), record(RecordBody::SignalLoss(SignalLossReason::Unknown))];
    records[1].at.sequence = 0;
    for reason in [ShedReason::MaxFps, ShedReason::DeadLettered, ShedReason::NotReceived] {
        let only = AccountOnly { account: account(shed(reason)), frame: Some(size) };
        records.push(record(RecordBody::AccountOnly(only)));
    }
    for record in records {
        let bytes = encode_detections(&record);
        assert_eq!(as_read_then("FrameDetections", bytes.clone()), bytes, "{record:?}");
    }
}

/// An analysis of then takes up no state of today, for its format; what it reads of it is as it was written.
#[test]
fn a_state_tells_a_reader_of_then_its_format_and_counts() {
    let counts = FrameCounts { analysed: 5, shed: [(ShedReason::Overload, 2)].into() };
    let (camera, state) = (CameraId::new("gate").unwrap(), Bytes::from_static(b"state"));
    let state = AnalysisState { camera, partition: 1, next_offset: 7, format: 7, state, counts };
    let bytes = encode_state(&state);
    assert_eq!(as_read_then("AnalysisState", bytes.clone()), bytes);
}

fn large_unit(bytes: usize) -> PublishedChunk {
    let unit = AccessUnit { data: vec![7; bytes].into(), captured: Timestamp::from_micros(3), key: true };
    let chunk = VideoChunk {
        camera: CameraId::new("gate").unwrap(),
        epoch: 1,
        codec: Codec::H264,
        frame: FrameSize { width: 240, height: 320 },
        display: Display { rotation: Rotation::Quarter, pixel_aspect: PixelAspect::new(1, 2) },
        gop: 4,
        part: 0,
        last: true,
        continues: true,
        clock_drift: false,
        first_sequence: 40,
        units: vec![unit],
    };
    PublishedChunk { chunk, published: Timestamp::from_micros(9) }
}

/// A piece is no unit: a reader of then finds none in its record and puts it among the dead letters, and decodes no half picture.
#[test]
fn a_piece_of_a_picture_is_refused_by_a_reader_of_then() {
    let records = video_records(large_unit(900), 400);
    assert_eq!(records.len(), 3);
    for record in records {
        let VideoRecord::Piece(piece) = record else { panic!("it is too large for one record") };
        let read = as_read_then("VideoChunk", encode_piece(&piece));
        assert!(matches!(decode_video(read), Err(WireError::Invalid { field: "units", .. })));
    }
}

#[test]
fn a_chunk_has_its_units_for_a_reader_of_then() {
    let PublishedChunk { chunk, published } = large_unit(900);
    let read = as_read_then("VideoChunk", encode_video(&chunk, published));
    let plain = VideoChunk { display: Display::default(), continues: false, ..chunk };
    assert_eq!(
        decode_video(read.clone()).unwrap(),
        VideoRecord::Chunk(PublishedChunk { chunk: plain.clone(), published })
    );
    // What has neither is written as it was then.
    assert_eq!(encode_video(&plain, published), read);
}

/// Its `ingest` then calls the camera without a login, and the camera refuses it: no password is lost or sent in clear.
#[test]
fn a_sealed_login_is_unknown_to_older_readers_and_the_rest_of_the_camera_is_not() {
    let without: Camera = serde_json::from_str(
        r#"{"id": "gate", "name": "Gate", "purpose": "safety", "position": {"latitude": 22.5, "longitude": 113.9},
            "source": {"kind": "rtsp", "url": "rtsp://192.0.2.10/live"}}"#,
    )
    .unwrap();
    let mut with = without.clone();
    let login = SealedLogin { user: "viewer".into(), password: "v1.3f9a1c2e77b0.c2VhbGVk".parse().unwrap() };
    if let Some(CameraSource::Rtsp { login: place, .. }) = &mut with.source {
        *place = Some(login);
    }
    let version = |camera: &Camera| CameraVersion::of_camera(camera.clone(), Timestamp::from_micros(17));
    assert_eq!(decode_camera(encode_camera(&version(&with))).unwrap(), version(&with));
    let read = decode_camera(as_read_then("Camera", encode_camera(&version(&with)))).unwrap();
    assert_eq!(read.content, Some(without));
}
