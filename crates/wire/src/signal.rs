use bytes::Bytes;
use prost::Message;
use vedette_core::{CameraId, SignalLossReason, Timestamp};

use crate::error::parse;
use crate::{WireError, field, pb};

/// A camera without signal, on `signals`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraSignal {
    /// The camera.
    pub camera: CameraId,
    /// Time of the first signal loss since its last analysed frame.
    pub since: Timestamp,
    /// The cause, as last told.
    pub reason: SignalLossReason,
}

/// Encodes a record on `signals`.
#[must_use]
pub fn encode_signal(signal: &CameraSignal) -> Bytes {
    pb::CameraSignal {
        camera: signal.camera.to_string(),
        since_us: signal.since.as_micros(),
        reason: field::pb_signal_loss_reason(signal.reason),
    }
    .encode_to_vec()
    .into()
}

/// Decodes a record on `signals`.
///
/// # Errors
/// When the bytes are no such message, or the camera id is invalid.
pub fn decode_signal(value: Bytes) -> Result<CameraSignal, WireError> {
    let message: pb::CameraSignal = parse("CameraSignal", value)?;
    Ok(CameraSignal {
        camera: field::camera_id(&message.camera)?,
        since: Timestamp::from_micros(message.since_us),
        reason: field::signal_loss_reason(message.reason),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_reads_back() {
        let (camera, since) = (CameraId::new("gate").unwrap(), Timestamp::from_micros(7));
        let signal = CameraSignal { camera, since, reason: SignalLossReason::IngestGone };
        assert_eq!(decode_signal(encode_signal(&signal)).unwrap(), signal);
        assert!(decode_signal(Bytes::new()).is_err());
    }
}
