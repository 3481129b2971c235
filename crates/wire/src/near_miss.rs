use bytes::Bytes;
use prost::Message;
use vedette_core::{CameraId, CameraNearMiss, FrameAt, FrameSize, NearMiss, NearestFrame, Timestamp, TrackId};

use crate::error::parse;
use crate::{WireError, field, name, pb};

/// Encodes a record on `near-misses`.
#[must_use]
pub fn encode_near_miss(camera: &CameraId, frame: FrameSize, miss: &NearMiss) -> Bytes {
    let (kind, kind_name) = name::pb_kind(miss.kind);
    let (term, term_name) = name::pb_term(miss.term);
    pb::NearMiss {
        camera: camera.to_string(),
        rule: miss.rule.to_string(),
        kind,
        kind_name,
        policy_version: miss.policy_version,
        subject: miss.subject.map(|track| track.0),
        started_us: miss.started.as_micros(),
        ended_us: miss.ended.as_micros(),
        frame: field::pb_frame_size(frame),
        place: Some(field::pb_pixel_point(miss.place)),
        term,
        term_name,
        value: miss.value,
        threshold: miss.threshold,
        nearest: miss.nearest.as_ref().map(pb_nearest),
    }
    .encode_to_vec()
    .into()
}

/// Decodes a record on `near-misses`.
///
/// # Errors
/// When the bytes are not such a message, or a value breaks its rule.
pub fn decode_near_miss(bytes: Bytes) -> Result<CameraNearMiss, WireError> {
    let message: pb::NearMiss = parse("NearMiss", bytes)?;
    Ok(CameraNearMiss {
        camera: field::camera_id(&message.camera)?,
        frame: field::frame_size("frame", message.frame)?,
        miss: NearMiss {
            rule: field::rule_id(&message.rule)?,
            kind: name::kind(message.kind, &message.kind_name)?,
            policy_version: message.policy_version,
            subject: message.subject.map(TrackId),
            started: Timestamp::from_micros(message.started_us),
            ended: Timestamp::from_micros(message.ended_us),
            place: field::pixel_point("place", message.place)?,
            term: name::term(message.term, &message.term_name)?,
            value: field::finite("value", message.value)?,
            threshold: field::finite("threshold", message.threshold)?,
            nearest: message.nearest.map(nearest).transpose()?,
        },
    })
}

fn pb_nearest(nearest: &NearestFrame) -> pb::NearestFrame {
    let FrameAt { epoch, sequence, captured } = nearest.at;
    pb::NearestFrame {
        epoch,
        sequence,
        captured_us: captured.as_micros(),
        frame: field::pb_frame_size(nearest.frame),
        r#box: Some(field::pb_pixel_box(nearest.bbox)),
        video: nearest.video.map(field::pb_video_ref),
    }
}

fn nearest(message: pb::NearestFrame) -> Result<NearestFrame, WireError> {
    let captured = Timestamp::from_micros(message.captured_us);
    Ok(NearestFrame {
        at: FrameAt { epoch: message.epoch, sequence: message.sequence, captured },
        frame: field::frame_size("nearest.frame", message.frame)?,
        video: message.video.map(field::video_ref),
        bbox: field::pixel_box("nearest.box", message.r#box)?,
    })
}
