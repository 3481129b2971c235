//! The bytes on the bus: protobuf (`proto/vedette/v1`) to and from core types.
//!
//! *In:* bytes of a record's value, or a core value. *Out:* a checked core value, or bytes. *Must not know:* where bytes
//! come from or go to.
//!
//! Every `decode` validates: a returned value satisfies the rules of its type, and a record that breaks one is refused with
//! [`WireError`], naming the field.

mod address_change;
mod address_match;
mod alert;
mod audit_row;
mod camera;
mod change;
mod condition;
mod dead_letter;
mod detections;
mod error;
mod field;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz_targets;
mod heartbeat;
mod legacy_condition;
mod name;
mod near_miss;
mod piece;
mod policy;
mod session;
mod signal;
mod state;
mod video;
mod video_record;
mod worker_report;
mod zone;

/// Types made from `proto/vedette/v1` by prost.
#[expect(missing_docs, clippy::all, reason = "generated from proto/, which holds the docs")]
pub mod pb {
    include!(concat!(env!("OUT_DIR"), "/vedette.v1.rs"));
}

pub use address_change::{AddressBaseChange, NewBase, address_key, decode_address_change, encode_address_change};
pub use alert::{decode_alert, encode_alert};
pub use audit_row::{decode_audit_row, encode_audit_row};
pub use camera::{camera_key, decode_camera, encode_camera};
pub use change::{decode_change, decode_late_change, encode_change, encode_late_change, late_change_key};
pub use dead_letter::{DeadLetter, DeadLetterReason, LeftOut, decode_dead_letter, encode_dead_letter};
pub use detections::{decode_detections, encode_detections};
pub use error::WireError;
pub use heartbeat::{Heartbeat, HeartbeatRole, MOST_IDLE, decode_heartbeat, encode_heartbeat};
pub use near_miss::{decode_near_miss, encode_near_miss};
pub use piece::{PieceJoiner, video_records};
pub use policy::{
    decode_policy, decode_policy_version, encode_policy, encode_policy_briefly, encode_policy_version, policy_key,
    policy_scope, policy_version_key,
};
pub use session::{decode_session, encode_session};
pub use signal::{CameraSignal, decode_signal, encode_signal};
pub use state::{AnalysisState, decode_state, encode_state};
pub use video::{decode_video, encode_piece, encode_signal_loss, encode_video};
pub use video_record::{PublishedChunk, VideoPiece, VideoRecord};
pub use worker_report::{WorkerAnswer, WorkerReport, decode_worker_report, encode_worker_report};
