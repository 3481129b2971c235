use bytes::Bytes;
use prost::Message;
use vedette_core::CameraId;

use crate::error::parse;
use crate::{WireError, field, pb};

/// A camera's analysis state at an offset of `detections`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnalysisState {
    /// Whose state.
    pub camera: CameraId,
    /// Partition of `detections`.
    pub partition: u32,
    /// First record of that partition that is not in the state.
    pub next_offset: u64,
    /// Version of the encoding of `state`.
    pub format: u32,
    /// The state, in the engine's own encoding.
    pub state: Bytes,
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
    }
    .encode_to_vec()
    .into()
}

/// Reads the value of a record on `states`.
///
/// # Errors
/// When the bytes are no such message.
pub fn decode_state(bytes: Bytes) -> Result<AnalysisState, WireError> {
    let message: pb::AnalysisState = parse("AnalysisState", bytes)?;
    Ok(AnalysisState {
        camera: field::camera_id(&message.camera)?,
        partition: message.partition,
        next_offset: message.next_offset,
        format: message.format,
        state: message.state,
    })
}
