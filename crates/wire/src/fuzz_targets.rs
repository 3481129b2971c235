//! Entry points for a fuzzer: each takes any bytes, and panics where a bound or a promise is broken.

use bytes::Bytes;

use crate::{
    PieceJoiner, VideoRecord, decode_address_change, decode_alert, decode_audit_row, decode_camera, decode_change,
    decode_dead_letter, decode_detections, decode_heartbeat, decode_late_change, decode_near_miss, decode_policy,
    decode_policy_version, decode_session, decode_signal, decode_state, decode_video, decode_worker_report,
    encode_piece, encode_signal_loss, encode_video,
};

/// A record of the topic `video`. A returned one is within its bounds, and the same after it was written and read again.
pub fn video_record(data: &[u8]) {
    let Ok(record) = decode_video(Bytes::copy_from_slice(data)) else { return };
    let written = match &record {
        VideoRecord::Chunk(published) => {
            let units = &published.chunk.units;
            assert!(units.iter().map(|unit| unit.data.len()).sum::<usize>() <= data.len());
            encode_video(&published.chunk, published.published)
        }
        VideoRecord::Piece(piece) => encode_piece(piece),
        VideoRecord::SignalLoss(loss) => encode_signal_loss(loss),
    };
    assert_eq!(decode_video(written).as_ref(), Ok(&record));
    let _ = PieceJoiner::default().join(record);
}

/// A record of any other topic.
pub fn record(data: &[u8]) {
    let bytes = || Bytes::copy_from_slice(data);
    let _ =
        (decode_address_change(bytes()), decode_alert(bytes()), decode_camera(bytes()), decode_dead_letter(bytes()));
    let _ = (decode_detections(bytes()), decode_heartbeat(bytes()), decode_near_miss(bytes()));
    let _ = (decode_policy_version(bytes()), decode_policy(bytes()));
    let _ = (decode_session(bytes()), decode_signal(bytes()), decode_state(bytes()));
    let _ =
        (decode_change(bytes()), decode_late_change(bytes()), decode_worker_report(bytes()), decode_audit_row(bytes()));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_taken(data in prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..32], 0..200)) {
            video_record(&data);
            record(&data);
        }
    }
}
