use proptest::prelude::*;
use vedette_core::{
    CameraId, ModelRef, ObjectClass, PixelBox, Quality, Score, ShedReason, SignalLoss, SignalLossReason, VideoRef,
};

use super::*;

/// Records in all published forms: a frame, a frame accounting of shed frames, a signal loss.
const PROCESSED: &str = "0a046761746510e1a9eaa2c5a19803180920dff98ea3c5a198032a0608800610c004321d0801150000403f1a140d0000c03f1500\
    0000401d0000404025000080403a120a096e616e6f6465742d671205312e302e30420220024a06080110021809520f0890a10f18fbffffffffff\
    ffffff015a0a0806120608071002180162360d0000c94215000020421d0000e040250000003f2a20000102030405060708090a0b0c0d0e0f1011\
    12131415161718191a1b1c1d1e1f";
const ACCOUNT_ONLY: &str = "0a046761746510e1a9eaa2c5a19803180620dff98ea3c5a198032a0608800610c0043a120a096e616e6f6465742d67120531\
    2e302e305a0a08031206080410031803";
const SIGNAL_LOSS: &str =
    "0a046761746510e1a9eaa2c5a1980320dff98ea3c5a198032a04080110013a120a096e616e6f6465742d671205312e302e306801";

fn bytes(hex: &str) -> Bytes {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn message(hex: &str) -> pb::FrameDetections {
    pb::FrameDetections::decode(bytes(hex)).unwrap()
}

fn record(sequence: u64, body: RecordBody) -> CameraRecord {
    let captured = Timestamp::from_micros(1_795_555_443_588_319);
    CameraRecord {
        camera: CameraId::new("gate").unwrap(),
        at: FrameAt { epoch: 1_795_555_442_988_257, sequence, captured },
        model: ModelRef { name: "nanodet-g".into(), version: "1.0.0".into() },
        body,
    }
}

fn account(previous: u64, first: u64, count: u64, reason: ShedReason) -> FrameAccount {
    FrameAccount { previous: Some(previous), shed: vec![ShedRange { first, count, reason }] }
}

fn frame() -> CameraRecord {
    let processed = ProcessedFrame {
        frame: FrameSize { width: 768, height: 576 },
        detections: vec![Detection {
            class: ObjectClass::Person,
            score: Score::new(0.75).unwrap(),
            bbox: PixelBox::new(1.5, 2.0, 3.0, 4.0),
        }],
        quality: Quality { shed_frames: 2, ..Quality::default() },
        video: Some(VideoRef { partition: 1, offset: 2, sequence: 9 }),
        latency: Some(StageLatency {
            chunk: Span::from_millis(250),
            wait: Span::from_micros(-5),
            ..StageLatency::default()
        }),
        account: Some(account(6, 7, 2, ShedReason::MaxFps)),
        picture: Some(PictureStats {
            brightness: 100.5,
            contrast: 40.0,
            sharpness: 7.0,
            change: Some(0.5),
            grid: std::array::from_fn(|field| field as u8),
        }),
    };
    record(9, RecordBody::Processed(processed))
}

fn marker() -> CameraRecord {
    let frame = Some(FrameSize { width: 768, height: 576 });
    record(6, RecordBody::AccountOnly(AccountOnly { account: account(3, 4, 3, ShedReason::Overload), frame }))
}

fn loss() -> CameraRecord {
    let CameraRecord { camera, at, model, .. } = frame();
    CameraRecord::signal_loss(
        SignalLoss { camera, epoch: at.epoch, at: at.captured, reason: SignalLossReason::Unknown },
        model,
    )
}

#[test]
fn every_kind_of_record_has_the_bytes_it_always_had() {
    for (hex, record) in [(PROCESSED, frame()), (ACCOUNT_ONLY, marker()), (SIGNAL_LOSS, loss())] {
        assert_eq!(decode_detections(bytes(hex)).unwrap(), record);
        assert_eq!(encode_detections(&record), bytes(hex), "{record:?}");
    }
}

#[test]
fn a_frame_that_was_put_aside_after_it_was_processed_only_accounts_for_frames() {
    let mut saved = message(PROCESSED);
    saved.detections.clear();
    let own = pb::frame_detections::ShedRange { first: 9, count: 1, reason: 7 };
    saved.account.as_mut().unwrap().shed.push(own);
    let read = decode_detections(saved.encode_to_vec().into()).unwrap();
    let RecordBody::AccountOnly(only) = &read.body else { panic!("{read:?}") };
    assert_eq!(only.account.shed[1], ShedRange { first: 9, count: 1, reason: ShedReason::DeadLettered });
    assert_eq!((read.at, only.frame), (frame().at, Some(FrameSize { width: 768, height: 576 })));
}

type Break = fn(&mut pb::FrameDetections);

fn is_refused(good: &pb::FrameDetections, breaks: &[(&str, Break)]) {
    decode_detections(good.encode_to_vec().into()).unwrap();
    for (field, apply) in breaks {
        let mut bad = good.clone();
        apply(&mut bad);
        let error = decode_detections(bad.encode_to_vec().into()).unwrap_err();
        assert!(matches!(&error, WireError::Invalid { field: named, .. } if named == field), "{field}: {error}");
    }
}

#[test]
fn each_broken_value_is_refused_by_name() {
    fn shed(message: &mut pb::FrameDetections, first: u64, count: u64) {
        let range = &mut message.account.as_mut().unwrap().shed[1];
        (range.first, range.count) = (first, count);
    }
    let mut good = message(PROCESSED);
    let ranges = [(3, 2, 1), (6, 1, 3)];
    let shed_ranges = ranges.map(|(first, count, reason)| pb::frame_detections::ShedRange { first, count, reason });
    good.account = Some(pb::frame_detections::Account { previous: Some(2), shed: shed_ranges.to_vec() });
    is_refused(
        &good,
        &[
            ("camera", |m| m.camera = "a b".into()),
            ("frame", |m| m.frame = None),
            ("frame", |m| m.frame = Some(pb::FrameSize { width: 0, height: 5 })),
            ("detections.class", |m| m.detections[0].class = 99),
            ("detections.score", |m| m.detections[0].score = f32::NAN),
            ("detections.box", |m| m.detections[0].r#box.as_mut().unwrap().width = -1.0),
            ("model", |m| m.model = None),
            ("account.previous", |m| m.account.as_mut().unwrap().previous = Some(9)),
            ("account.shed", |m| shed(m, 4, 1)),
            ("account.shed", |m| shed(m, 6, 0)),
            ("account.shed", |m| shed(m, 8, 3)),
            ("account.shed", |m| shed(m, u64::MAX, 2)),
            ("account.shed.reason", |m| m.account.as_mut().unwrap().shed[0].reason = 11),
            ("picture.grid", |m| m.picture.as_mut().unwrap().grid = Bytes::from_static(b"short")),
            ("picture.contrast", |m| m.picture.as_mut().unwrap().contrast = f32::NAN),
        ],
    );
    assert!(matches!(decode_detections(Bytes::from_static(b"no protobuf")), Err(WireError::Unparsable { .. })));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let own_frame_shed: Break = |m| {
        let range = &mut m.account.as_mut().unwrap().shed[0];
        range.count = 3;
    };
    is_refused(&message(PROCESSED), &[("sequence", |m| m.away = true), ("detections", own_frame_shed)]);
    is_refused(&message(ACCOUNT_ONLY), &[("frame", |m| m.frame = None)]);
    let breaks: [(&str, Break); 7] = [
        ("frame", |m| m.frame = None),
        ("sequence", |m| m.sequence = 1),
        ("detections", |m| m.detections = message(PROCESSED).detections),
        ("video", |m| m.video = message(PROCESSED).video),
        ("latency", |m| m.latency = message(PROCESSED).latency),
        ("account", |m| m.account = Some(pb::frame_detections::Account::default())),
        ("picture", |m| m.picture = message(PROCESSED).picture),
    ];
    is_refused(&message(SIGNAL_LOSS), &breaks);
}

fn sizes() -> impl Strategy<Value = FrameSize> {
    (2_u32..5_000, 1_u32..5_000).prop_map(|(width, height)| FrameSize { width, height })
}

fn detections() -> impl Strategy<Value = Vec<Detection>> {
    let detection = (1_u32..12, 0.0_f32..=1.0, -50.0_f32..500.0, 0.5_f32..90.0).prop_map(|(class, score, x, width)| {
        let class = ObjectClass::from_number(class).unwrap();
        Detection { class, score: Score::new(score).unwrap(), bbox: PixelBox::new(x, 1.0, width, 2.0) }
    });
    proptest::collection::vec(detection, 0..4)
}

/// Ranges of at least one frame each, consecutive or with gaps, all after `previous`; and the end of the last one.
fn accounts() -> impl Strategy<Value = (FrameAccount, u64)> {
    let ranges = proptest::collection::vec((0_u64..3, 1_u64..4, 1_u8..=10), 0..4);
    (proptest::option::of(0_u64..1_000), ranges).prop_map(|(previous, ranges)| {
        let mut next = previous.map_or(0, |previous| previous + 1);
        let mut shed = Vec::new();
        for (after, count, reason) in ranges {
            let first = next + after;
            shed.push(ShedRange { first, count, reason: ShedReason::from_number(reason).unwrap() });
            next = first + count;
        }
        (FrameAccount { previous, shed }, next)
    })
}

fn pictures() -> impl Strategy<Value = PictureStats> {
    (0.0_f32..255.0, 0.0_f32..127.0, proptest::option::of(0.0_f32..50.0), any::<[u8; 32]>()).prop_map(
        |(brightness, contrast, change, grid)| PictureStats { brightness, contrast, sharpness: 7.0, change, grid },
    )
}

fn processed_records() -> impl Strategy<Value = CameraRecord> {
    let quality = (any::<[bool; 3]>(), any::<u32>()).prop_map(|([clock_drift, degraded, corrupt], shed_frames)| {
        Quality { clock_drift, degraded, corrupt, shed_frames }
    });
    let video =
        any::<(u32, u64, u64)>().prop_map(|(partition, offset, sequence)| VideoRef { partition, offset, sequence });
    let latency = any::<[i64; 4]>().prop_map(|times| {
        let [chunk, decode, wait, inference] = times.map(Span::from_micros);
        StageLatency { chunk, decode, wait, inference }
    });
    let optional = (proptest::option::of(video), proptest::option::of(latency), proptest::option::of(pictures()));
    (sizes(), detections(), quality, optional, proptest::option::of(accounts()), 0_u64..3).prop_map(
        |(frame, detections, quality, (video, latency, picture), account, after)| {
            let sequence = account.as_ref().map_or(5, |(_, next)| *next) + after;
            let account = account.map(|(account, _)| account);
            let processed = ProcessedFrame { frame, detections, quality, video, latency, account, picture };
            record(sequence, RecordBody::Processed(processed))
        },
    )
}

fn account_only_records() -> impl Strategy<Value = CameraRecord> {
    (accounts(), proptest::option::of(sizes())).prop_filter_map(
        "it accounts for a frame",
        |((account, next), frame)| {
            account.shed.last()?;
            Some(record(next - 1, RecordBody::AccountOnly(AccountOnly { account, frame })))
        },
    )
}

fn records() -> impl Strategy<Value = CameraRecord> {
    let loss = any::<(u64, i64)>().prop_map(|(epoch, at)| {
        let at = FrameAt { epoch, sequence: 0, captured: Timestamp::from_micros(at) };
        CameraRecord { at, ..loss() }
    });
    prop_oneof![4 => processed_records(), 2 => account_only_records(), 1 => loss]
}

proptest! {
    #[test]
    fn every_record_reads_back(record in records()) {
        let bytes = encode_detections(&record);
        let read = decode_detections(bytes.clone()).unwrap();
        prop_assert_eq!(&read, &record);
        prop_assert_eq!(encode_detections(&read), bytes);
    }
}

#[test]
fn the_reason_of_a_signal_loss_reads_back_and_one_of_a_newer_version_is_unknown() {
    let camera = CameraId::new("gate").unwrap();
    let model = || ModelRef { name: "m".into(), version: "1".into() };
    for reason in SignalLossReason::ALL {
        let loss = SignalLoss { camera: camera.clone(), epoch: 0, at: Timestamp::from_micros(5), reason: *reason };
        let record = CameraRecord::signal_loss(loss, model());
        assert_eq!(decode_detections(encode_detections(&record)).unwrap(), record);
    }
    let loss = SignalLoss { camera, epoch: 0, at: Timestamp::default(), reason: SignalLossReason::NoData };
    let mut newer = pb::FrameDetections::decode(encode_detections(&CameraRecord::signal_loss(loss, model()))).unwrap();
    newer.away_reason = 999;
    let read = decode_detections(newer.encode_to_vec().into()).unwrap();
    assert_eq!(read.signal_loss_reason(), Some(SignalLossReason::Unknown));
}
