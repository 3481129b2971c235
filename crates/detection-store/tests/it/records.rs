//! Records of every kind.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use vedette_core::{
    AccountOnly, CameraId, CameraRecord, Detection, FrameAccount, FrameAt, FrameSize, ModelRef, NO_SESSION,
    ObjectClass, PictureStats, PixelBox, ProcessedFrame, Quality, RecordBody, Score, ShedRange, ShedReason,
    SignalLossReason, Span, StageLatency, Timestamp, VideoRef,
};

pub(crate) const FRAME: FrameSize = FrameSize { width: 768, height: 576 };

pub(crate) fn camera() -> CameraId {
    CameraId::new("gate").unwrap()
}

fn at(epoch: u64, sequence: u64, micros: i64) -> FrameAt {
    FrameAt { epoch, sequence, captured: Timestamp::from_micros(micros) }
}

/// A frame of a camera at five frames a second, from the second `from` on.
pub(crate) fn frame(from: i64, number: u64) -> CameraRecord {
    let captured = from * 1_000_000 + i64::try_from(number).unwrap() * 200_000;
    let class = ObjectClass::Person;
    let bbox = PixelBox::new(10.5, 20.25 + number as f32, 30.0, 80.0);
    let detections = vec![Detection { class, score: Score::new(0.75).unwrap(), bbox }];
    CameraRecord {
        camera: camera(),
        at: at(7, number, captured),
        model: ModelRef { name: "m".into(), version: "1".into() },
        body: RecordBody::Processed(ProcessedFrame { detections, ..ProcessedFrame::empty(FRAME) }),
    }
}

fn detection() -> impl Strategy<Value = Detection> {
    let side = || prop_oneof![any::<f32>().prop_filter("finite", |side| side.is_finite()), 0.0_f32..800.0];
    (select(&ObjectClass::ALL[..]), 0.0_f32..=1.0, side(), side(), side(), side()).prop_map(
        |(class, score, x, y, w, h)| Detection {
            class,
            score: Score::new(score).unwrap(),
            bbox: PixelBox::new(x, y, w, h),
        },
    )
}

fn picture() -> impl Strategy<Value = PictureStats> {
    let level = || 0.0_f32..255.0;
    (level(), level(), level(), option::of(level()), any::<[u8; 32]>()).prop_map(
        |(brightness, contrast, sharpness, change, grid)| PictureStats {
            brightness,
            contrast,
            sharpness,
            change,
            grid,
        },
    )
}

/// Frame accounting of the frame of that number.
fn account(sequence: u64) -> impl Strategy<Value = FrameAccount> {
    let shed = vec((0_u64..5, 1_u64..4, select(&ShedReason::ALL[..])), 0..3);
    (option::of(any::<u64>()), shed).prop_map(move |(previous, shed)| {
        let previous = previous.and_then(|previous| previous.checked_rem(sequence));
        let mut next = previous.map_or(0, |previous| previous + 1);
        let ranges = shed.into_iter().map(|(gap, count, reason)| {
            let first = next + gap;
            next = first + count;
            ShedRange { first, count, reason }
        });
        let shed = ranges.take_while(|range| range.first + range.count <= sequence).collect();
        FrameAccount { previous, shed }
    })
}

fn quality() -> impl Strategy<Value = Quality> {
    any::<(bool, bool, bool, u32)>().prop_map(|(clock_drift, degraded, corrupt, shed_frames)| Quality {
        clock_drift,
        degraded,
        corrupt,
        shed_frames,
    })
}

fn latency() -> impl Strategy<Value = StageLatency> {
    any::<[i32; 4]>().prop_map(|micros| {
        let [chunk, decode, wait, inference] = micros.map(|micros| Span::from_micros(i64::from(micros)));
        StageLatency { chunk, decode, wait, inference }
    })
}

fn video() -> impl Strategy<Value = VideoRef> {
    (any::<u32>(), any::<u64>(), any::<u64>()).prop_map(|(partition, offset, sequence)| VideoRef {
        partition,
        offset,
        sequence,
    })
}

fn size() -> impl Strategy<Value = FrameSize> {
    (1_u32..5_000, 1_u32..5_000).prop_map(|(width, height)| FrameSize { width, height })
}

fn body(sequence: u64) -> impl Strategy<Value = RecordBody> {
    let parts = (option::of(video()), option::of(latency()), option::of(account(sequence)), option::of(picture()));
    let processed =
        (size(), vec(detection(), 0..12), quality(), parts).prop_map(|(frame, detections, quality, parts)| {
            let (video, latency, account, picture) = parts;
            RecordBody::Processed(ProcessedFrame { frame, detections, quality, video, latency, account, picture })
        });
    let only = (account(sequence), option::of(size()), select(&ShedReason::ALL[..])).prop_map(
        move |(mut account, frame, reason)| {
            // Its last range ends with the record's own frame.
            let first = account.shed.last().map(|range| range.first + range.count);
            let first = first.or(account.previous.map(|previous| previous + 1)).unwrap_or(0).min(sequence);
            account.shed.retain(|range| range.first + range.count <= first);
            account.shed.push(ShedRange { first, count: sequence - first + 1, reason });
            RecordBody::AccountOnly(AccountOnly { account, frame })
        },
    );
    prop_oneof![4 => processed, 1 => only]
}

fn signal_loss() -> impl Strategy<Value = (FrameAt, RecordBody)> {
    (select(SignalLossReason::ALL), any::<i64>(), prop_oneof![Just(NO_SESSION), any::<u64>()])
        .prop_map(|(reason, micros, epoch)| (at(epoch, 0, micros), RecordBody::SignalLoss(reason)))
}

/// A record of any kind, with capture times of any year or within a few hours.
pub(crate) fn record() -> impl Strategy<Value = CameraRecord> {
    let times = prop_oneof![1 => any::<i64>(), 6 => 1_795_555_442_000_000_i64..1_795_565_442_000_000];
    let frame = (any::<u64>(), 0_u64..1_000_000, times).prop_flat_map(|(epoch, sequence, micros)| {
        body(sequence).prop_map(move |body| (at(epoch, sequence, micros), body))
    });
    let model = (select(&["nanodet", "模型"][..]), select(&["1", "2.0.1"][..]));
    (prop_oneof![8 => frame, 1 => signal_loss()], model).prop_map(|((at, body), (name, version))| CameraRecord {
        camera: camera(),
        at,
        model: ModelRef { name: name.into(), version: version.into() },
        body,
    })
}
