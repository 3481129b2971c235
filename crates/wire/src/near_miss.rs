use bytes::Bytes;
use prost::Message;
use vedette_core::{CameraId, FrameSize, NearMiss, Timestamp, TrackId};

use crate::error::parse;
use crate::{WireError, field, name, pb};

/// A record on `near-misses`.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraNearMiss {
    /// The camera.
    pub camera: CameraId,
    /// The frame to which the place refers.
    pub frame: FrameSize,
    /// The near-miss.
    pub miss: NearMiss,
}

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
            value: message.value,
            threshold: message.threshold,
        },
    })
}
