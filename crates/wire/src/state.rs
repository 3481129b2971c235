use bytes::Bytes;
use prost::Message;
use vedette_core::{CameraId, FrameCounts, ShedReason};

use crate::error::parse;
use crate::{WireError, field, pb};

/// A camera's analysis state at an offset of `detections`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalysisState {
    /// The camera.
    pub camera: CameraId,
    /// Partition of `detections`.
    pub partition: u32,
    /// First offset of that partition that is not in the state.
    pub next_offset: u64,
    /// Version of the encoding of `state`.
    pub format: u32,
    /// The state, in the engine's own encoding.
    pub state: Bytes,
    /// Frame accounting of the camera since it was first seen.
    pub counts: FrameCounts,
}

/// The value of a record on `states`.
#[must_use]
pub fn encode_state(state: &AnalysisState) -> Bytes {
    pb::AnalysisState {
        camera: state.camera.to_string(),
        partition: state.partition,
        next_offset: state.next_offset,
        format: state.format,
        state: state.state.clone(),
        counts: Some(pb_counts(&state.counts)),
    }
    .encode_to_vec()
    .into()
}

/// Reads the value of a record on `states`.
///
/// # Errors
/// When the bytes are not such a message, or contain an unknown reason.
pub fn decode_state(bytes: Bytes) -> Result<AnalysisState, WireError> {
    let message: pb::AnalysisState = parse("AnalysisState", bytes)?;
    Ok(AnalysisState {
        camera: field::camera_id(&message.camera)?,
        partition: message.partition,
        next_offset: message.next_offset,
        format: message.format,
        state: message.state,
        counts: message.counts.map(counts).transpose()?.unwrap_or_default(),
    })
}

fn pb_counts(counts: &FrameCounts) -> pb::FrameCounts {
    let shed = |(reason, frames): (&ShedReason, &u64)| pb::frame_counts::Shed {
        reason: field::pb_shed_reason(*reason),
        frames: *frames,
    };
    pb::FrameCounts { analysed: counts.analysed, shed: counts.shed.iter().map(shed).collect() }
}

fn counts(message: pb::FrameCounts) -> Result<FrameCounts, WireError> {
    let mut counts = FrameCounts { analysed: message.analysed, ..FrameCounts::default() };
    for shed in message.shed {
        counts.add_shed(field::shed_reason("counts.shed.reason", shed.reason)?, shed.frames);
    }
    Ok(counts)
}
