use bytes::Bytes;
use prost::Message;
use vedette_core::{Detection, FrameAccount, FrameDetections, PictureStats, ShedRange, Span, StageLatency, Timestamp};

use crate::error::parse;
use crate::{WireError, field, pb};

/// Most boxes that one frame may carry; a record with more is refused whole.
const MOST_DETECTIONS: usize = 10_000;

/// The value of a record on `detections`.
#[must_use]
pub fn encode_detections(frame: &FrameDetections) -> Bytes {
    let detections = frame.detections.iter().map(|detection| pb::frame_detections::Detection {
        class: i32::from(detection.class.number()),
        score: detection.score.get(),
        r#box: Some(field::pb_pixel_box(detection.bbox)),
    });
    pb::FrameDetections {
        camera: frame.camera.to_string(),
        epoch: frame.epoch,
        sequence: frame.sequence,
        captured_us: frame.captured.as_micros(),
        frame: field::pb_frame_size(frame.frame),
        detections: detections.collect(),
        model: field::pb_model(&frame.model),
        quality: field::pb_quality(frame.quality),
        video: frame.video.map(field::pb_video_ref),
        latency: frame.latency.map(|latency| pb::frame_detections::StageLatency {
            chunk_us: latency.chunk.as_micros(),
            decode_us: latency.decode.as_micros(),
            wait_us: latency.wait.as_micros(),
            inference_us: latency.inference.as_micros(),
        }),
        account: frame.account.as_ref().map(pb_account),
        picture: frame.picture.as_ref().map(pb_picture),
        away: frame.away,
    }
    .encode_to_vec()
    .into()
}

/// Reads the value of a record on `detections`.
///
/// # Errors
/// When the bytes are no such message, or a value breaks its rule (score outside 0 to 1, box without area, NaN, unknown
/// class, more than 10,000 boxes, an account of frames that does not fit the record's number).
pub fn decode_detections(bytes: Bytes) -> Result<FrameDetections, WireError> {
    let message: pb::FrameDetections = parse("FrameDetections", bytes)?;
    if message.detections.len() > MOST_DETECTIONS {
        let rule = format!("{} boxes in one frame; at most {MOST_DETECTIONS} are taken", message.detections.len());
        return Err(WireError::invalid("detections", rule));
    }
    Ok(FrameDetections {
        camera: field::camera_id(&message.camera)?,
        epoch: message.epoch,
        sequence: message.sequence,
        captured: Timestamp::from_micros(message.captured_us),
        frame: field::frame_size("frame", message.frame)?,
        detections: message.detections.into_iter().map(detection).collect::<Result<_, _>>()?,
        model: field::model(message.model)?,
        quality: field::quality(message.quality),
        video: message.video.map(field::video_ref),
        latency: message.latency.map(|latency| StageLatency {
            chunk: Span::from_micros(latency.chunk_us),
            decode: Span::from_micros(latency.decode_us),
            wait: Span::from_micros(latency.wait_us),
            inference: Span::from_micros(latency.inference_us),
        }),
        account: message.account.map(|account| self::account(account, message.sequence)).transpose()?,
        picture: message.picture.map(picture).transpose()?,
        away: message.away,
    })
}

fn pb_picture(picture: &PictureStats) -> pb::frame_detections::PictureStats {
    pb::frame_detections::PictureStats {
        brightness: picture.brightness,
        contrast: picture.contrast,
        sharpness: picture.sharpness,
        change: picture.change,
        grid: Bytes::copy_from_slice(&picture.grid),
    }
}

fn picture(message: pb::frame_detections::PictureStats) -> Result<PictureStats, WireError> {
    let level = |field, value: f32| {
        let refused = || WireError::invalid(field, format!("{value} is no brightness; it is 0 or more"));
        (value.is_finite() && value >= 0.0).then_some(value).ok_or_else(refused)
    };
    let fields = message.grid.len();
    let refused = |_| WireError::invalid("picture.grid", format!("{fields} fields; a grid has 32"));
    Ok(PictureStats {
        brightness: level("picture.brightness", message.brightness)?,
        contrast: level("picture.contrast", message.contrast)?,
        sharpness: level("picture.sharpness", message.sharpness)?,
        change: message.change.map(|change| level("picture.change", change)).transpose()?,
        grid: message.grid[..].try_into().map_err(refused)?,
    })
}

fn pb_account(account: &FrameAccount) -> pb::frame_detections::Account {
    let shed = account.shed.iter().map(|range| pb::frame_detections::ShedRange {
        first: range.first,
        count: range.count,
        reason: field::pb_shed_reason(range.reason),
    });
    pb::frame_detections::Account { previous: account.previous, shed: shed.collect() }
}

fn account(message: pb::frame_detections::Account, sequence: u64) -> Result<FrameAccount, WireError> {
    if message.previous.is_some_and(|previous| previous >= sequence) {
        return Err(WireError::invalid(
            "account.previous",
            format!("give a frame before the record's own, {sequence}"),
        ));
    }
    let mut next = message.previous.map_or(0, |previous| previous + 1);
    let mut shed = Vec::with_capacity(message.shed.len());
    for range in message.shed {
        let end = range.first.checked_add(range.count).filter(|_| range.count > 0);
        let Some(end) = end.filter(|end| range.first >= next && *end <= sequence.saturating_add(1)) else {
            let rule = format!(
                "{} frames from {}: give ranges that rise, hold a frame, and lie after the record before and not after {sequence}",
                range.count, range.first
            );
            return Err(WireError::invalid("account.shed", rule));
        };
        let reason = field::shed_reason("account.shed.reason", range.reason)?;
        shed.push(ShedRange { first: range.first, count: range.count, reason });
        next = end;
    }
    Ok(FrameAccount { previous: message.previous, shed })
}

fn detection(message: pb::frame_detections::Detection) -> Result<Detection, WireError> {
    Ok(Detection {
        class: field::object_class("detections.class", message.class)?,
        score: field::score("detections.score", message.score)?,
        bbox: field::pixel_box("detections.box", message.r#box)?,
    })
}

#[cfg(test)]
mod tests {
    use vedette_core::{
        CameraAway, CameraId, FrameSize, ModelRef, ObjectClass, PixelBox, Quality, Score, ShedReason, VideoRef,
    };

    use super::*;

    fn frame() -> FrameDetections {
        FrameDetections {
            camera: CameraId::new("gate").unwrap(),
            epoch: 1,
            sequence: 9,
            captured: Timestamp::from_micros(3),
            frame: FrameSize { width: 768, height: 576 },
            detections: vec![Detection {
                class: ObjectClass::Person,
                score: Score::new(0.75).unwrap(),
                bbox: PixelBox::new(1.0, 2.0, 3.0, 4.0),
            }],
            model: ModelRef { name: "nanodet-g".into(), version: "1".into() },
            quality: Quality { shed_frames: 2, ..Quality::default() },
            video: Some(VideoRef { partition: 1, offset: 2, sequence: 3 }),
            latency: Some(StageLatency { chunk: Span::from_millis(250), ..StageLatency::default() }),
            account: Some(FrameAccount {
                previous: Some(2),
                shed: vec![
                    ShedRange { first: 3, count: 2, reason: ShedReason::MaxFps },
                    ShedRange { first: 6, count: 1, reason: ShedReason::Overload },
                ],
            }),
            picture: Some(PictureStats {
                brightness: 100.5,
                contrast: 40.0,
                sharpness: 7.0,
                change: Some(0.5),
                grid: std::array::from_fn(|field| field as u8),
            }),
            away: false,
        }
    }

    #[test]
    fn a_frame_reads_back() {
        assert_eq!(decode_detections(encode_detections(&frame())).unwrap(), frame());
        let away = CameraAway { camera: frame().camera, epoch: 2, at: Timestamp::from_micros(4) };
        let away = FrameDetections::of_away(away, frame().model);
        assert_eq!(decode_detections(encode_detections(&away)).unwrap(), away);
    }

    #[test]
    fn each_broken_value_is_refused_by_name() {
        let good = pb::FrameDetections::decode(encode_detections(&frame())).unwrap();
        type Break = fn(&mut pb::FrameDetections);
        fn shed(m: &mut pb::FrameDetections, first: u64, count: u64) {
            let range = &mut m.account.as_mut().unwrap().shed[1];
            (range.first, range.count) = (first, count);
        }
        let breaks: [(&str, Break); 15] = [
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
        ];
        for (field, apply) in breaks {
            let mut bad = good.clone();
            apply(&mut bad);
            let error = decode_detections(bad.encode_to_vec().into()).unwrap_err();
            assert!(matches!(&error, WireError::Invalid { field: named, .. } if *named == field), "{field}: {error}");
        }
        assert!(matches!(decode_detections(Bytes::from_static(b"no protobuf")), Err(WireError::Unparsable { .. })));
    }
}
