use bytes::Bytes;
use prost::Message;
use vedette_core::StreamSession;

use crate::error::parse;
use crate::{WireError, field, pb};

/// Encodes a record on `sessions`.
#[must_use]
pub fn encode_session(session: &StreamSession) -> Bytes {
    pb::StreamSession { camera: session.camera.to_string(), epoch: session.epoch }.encode_to_vec().into()
}

/// Decodes a record on `sessions`.
///
/// # Errors
/// When the bytes are no such message, or the camera id is invalid.
pub fn decode_session(value: Bytes) -> Result<StreamSession, WireError> {
    let message: pb::StreamSession = parse("StreamSession", value)?;
    Ok(StreamSession { camera: field::camera_id(&message.camera)?, epoch: message.epoch })
}

#[cfg(test)]
mod tests {
    use vedette_core::CameraId;

    use super::*;

    #[test]
    fn a_session_reads_back_and_one_without_a_camera_is_refused() {
        let session = StreamSession { camera: CameraId::new("gate").unwrap(), epoch: u64::MAX };
        assert_eq!(decode_session(encode_session(&session)).unwrap(), session);
        assert!(decode_session(pb::StreamSession::default().encode_to_vec().into()).is_err());
        assert!(decode_session(Bytes::from_static(b"\xff")).is_err());
    }
}
