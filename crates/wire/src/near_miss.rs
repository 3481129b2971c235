use bytes::Bytes;
use prost::Message;
use vedette_core::{CameraId, FrameSize, NearMiss, Term, Timestamp, TrackId};

use crate::error::parse;
use crate::rule_kind::{kind_number, kind_of};
use crate::{WireError, field, pb};

/// A record on `near-misses`.
#[derive(Debug, Clone, PartialEq)]
pub struct CameraNearMiss {
    /// Whose.
    pub camera: CameraId,
    /// The frame that the place refers to.
    pub frame: FrameSize,
    /// What almost was an alert.
    pub miss: NearMiss,
}

const TERMS: [(Term, pb::near_miss::Term); Term::ALL.len()] = [
    (Term::Score, pb::near_miss::Term::Score),
    (Term::Size, pb::near_miss::Term::Size),
    (Term::Duration, pb::near_miss::Term::Duration),
    (Term::Objects, pb::near_miss::Term::Objects),
    (Term::Density, pb::near_miss::Term::Density),
    (Term::Speed, pb::near_miss::Term::Speed),
    (Term::Heights, pb::near_miss::Term::Heights),
    (Term::Gap, pb::near_miss::Term::Gap),
    (Term::Settled, pb::near_miss::Term::Settled),
    (Term::Cooldown, pb::near_miss::Term::Cooldown),
    (Term::FramesPerSecond, pb::near_miss::Term::FramesPerSecond),
    (Term::Levels, pb::near_miss::Term::Levels),
    (Term::Part, pb::near_miss::Term::Part),
    (Term::Offset, pb::near_miss::Term::Offset),
];

/// The value of a record on `near-misses`.
#[must_use]
pub fn encode_near_miss(camera: &CameraId, frame: FrameSize, miss: &NearMiss) -> Bytes {
    pb::NearMiss {
        camera: camera.to_string(),
        rule: miss.rule.to_string(),
        kind: kind_number(miss.kind),
        policy_version: miss.policy_version,
        subject: miss.subject.map(|track| track.0),
        started_us: miss.started.as_micros(),
        ended_us: miss.ended.as_micros(),
        frame: field::pb_frame_size(frame),
        place: Some(field::pb_pixel_point(miss.place)),
        term: TERMS.iter().find(|(ours, _)| *ours == miss.term).map_or(0, |(_, theirs)| *theirs as i32),
        value: miss.value,
        threshold: miss.threshold,
    }
    .encode_to_vec()
    .into()
}

/// Reads the value of a record on `near-misses`.
///
/// # Errors
/// When the bytes are no such message, or a value breaks its rule.
pub fn decode_near_miss(bytes: Bytes) -> Result<CameraNearMiss, WireError> {
    let message: pb::NearMiss = parse("NearMiss", bytes)?;
    let unknown = |field, number: i32| WireError::invalid(field, format!("{number} is not known"));
    let term = TERMS.iter().find(|(_, theirs)| *theirs as i32 == message.term).map(|(ours, _)| *ours);
    Ok(CameraNearMiss {
        camera: field::camera_id(&message.camera)?,
        frame: field::frame_size("frame", message.frame)?,
        miss: NearMiss {
            rule: field::rule_id(&message.rule)?,
            kind: kind_of(message.kind).ok_or_else(|| unknown("kind", message.kind))?,
            policy_version: message.policy_version,
            subject: message.subject.map(TrackId),
            started: Timestamp::from_micros(message.started_us),
            ended: Timestamp::from_micros(message.ended_us),
            place: field::pixel_point("place", message.place)?,
            term: term.ok_or_else(|| unknown("term", message.term))?,
            value: message.value,
            threshold: message.threshold,
        },
    })
}
