//! The messages of the topics: their keys, encoding and decoding. Values are protobuf (`vedette_wire`).

use bytes::Bytes;
use vedette_access::AuditRow;
use vedette_alerts::cloudevents;
use vedette_bus::{Header, Position};
use vedette_core::{
    Alert, CameraId, CameraNearMiss, CameraRecord, CameraVersion, Change, ChangeId, LateChange, PolicyScope,
    PolicyVersion, StreamSession, Timestamp,
};
use vedette_wire::{
    AddressBaseChange, AnalysisState, CameraSignal, DeadLetter, Heartbeat, VideoRecord, WireError, WorkerReport,
    address_key, camera_key, decode_address_change, decode_alert, decode_audit_row, decode_camera, decode_change,
    decode_dead_letter, decode_detections, decode_heartbeat, decode_late_change, decode_near_miss,
    decode_policy_version, decode_session, decode_signal, decode_state, decode_video, decode_worker_report,
    encode_address_change, encode_alert, encode_audit_row, encode_camera, encode_change, encode_dead_letter,
    encode_detections, encode_heartbeat, encode_late_change, encode_near_miss, encode_piece, encode_policy_version,
    encode_session, encode_signal, encode_signal_loss, encode_state, encode_video, encode_worker_report,
    late_change_key, policy_version_key,
};

/// A record's key: it decides the partition and, in a compacted topic, which record supersedes which.
pub trait Key {
    /// The key's bytes on the bus.
    fn to_bytes(&self) -> Bytes;
}

/// The content of one topic's records.
pub trait Message: Sized {
    /// The type of its key.
    type Key: Key;

    /// Its key.
    fn key(&self) -> Self::Key;

    /// The record's value.
    fn encode(&self) -> Bytes;

    /// Reads a record's value.
    ///
    /// # Errors
    /// When the value is not a message of this kind, or breaks a rule.
    fn decode(value: Bytes) -> Result<Self, WireError>;

    /// Metadata beside the value, for consumers that route without decoding it.
    fn headers(&self) -> Vec<Header> {
        Vec::new()
    }
}

impl Key for CameraId {
    fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.as_str().as_bytes())
    }
}

/// A camera, and the capture time from which a version of it is effective.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CameraKey(pub CameraId, pub Timestamp);

impl Key for CameraKey {
    fn to_bytes(&self) -> Bytes {
        camera_key(&self.0, self.1).into()
    }
}

/// The scope of a policy, and the capture time from which a version of it is effective.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyKey(pub PolicyScope, pub Timestamp);

impl Key for PolicyKey {
    fn to_bytes(&self) -> Bytes {
        policy_version_key(&self.0, self.1).into()
    }
}

/// The capture time from which an address base is effective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EffectiveFrom(pub Timestamp);

impl Key for EffectiveFrom {
    fn to_bytes(&self) -> Bytes {
        address_key(self.0).into()
    }
}

impl Key for Position {
    fn to_bytes(&self) -> Bytes {
        self.to_string().into()
    }
}

impl Message for VideoRecord {
    type Key = CameraId;

    fn key(&self) -> CameraId {
        self.camera().clone()
    }

    fn encode(&self) -> Bytes {
        match self {
            Self::Chunk(published) => encode_video(&published.chunk, published.published),
            Self::Piece(piece) => encode_piece(piece),
            Self::SignalLoss(loss) => encode_signal_loss(loss),
        }
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_video(value)
    }
}

impl Message for StreamSession {
    type Key = CameraId;

    fn key(&self) -> CameraId {
        self.camera.clone()
    }

    fn encode(&self) -> Bytes {
        encode_session(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_session(value)
    }
}

/// By process and stage: a process with both roles sends two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeartbeatKey(String);

impl Key for HeartbeatKey {
    fn to_bytes(&self) -> Bytes {
        self.0.clone().into()
    }
}

impl Message for Heartbeat {
    type Key = HeartbeatKey;

    fn key(&self) -> HeartbeatKey {
        HeartbeatKey(format!("{}/{}", self.process, self.role.stage()))
    }

    fn encode(&self) -> Bytes {
        encode_heartbeat(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_heartbeat(value)
    }
}

impl Message for CameraSignal {
    type Key = CameraId;

    fn key(&self) -> CameraId {
        self.camera.clone()
    }

    fn encode(&self) -> Bytes {
        encode_signal(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_signal(value)
    }
}

impl Message for CameraRecord {
    type Key = CameraId;

    fn key(&self) -> CameraId {
        self.camera.clone()
    }

    fn encode(&self) -> Bytes {
        encode_detections(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_detections(value)
    }
}

/// With the `CloudEvents` 1.0 attributes as headers.
impl Message for Alert {
    type Key = CameraId;

    fn key(&self) -> CameraId {
        self.camera.clone()
    }

    fn encode(&self) -> Bytes {
        encode_alert(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_alert(value)
    }

    fn headers(&self) -> Vec<Header> {
        let headers = cloudevents::headers(self).into_iter();
        headers.map(|(name, value)| Header { name, value: value.into() }).collect()
    }
}

impl Message for CameraNearMiss {
    type Key = CameraId;

    fn key(&self) -> CameraId {
        self.camera.clone()
    }

    fn encode(&self) -> Bytes {
        encode_near_miss(&self.camera, self.frame, &self.miss)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_near_miss(value)
    }
}

impl Message for CameraVersion {
    type Key = CameraKey;

    fn key(&self) -> CameraKey {
        CameraKey(self.of.clone(), self.effective_from)
    }

    fn encode(&self) -> Bytes {
        encode_camera(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_camera(value)
    }
}

impl Message for PolicyVersion {
    type Key = PolicyKey;

    fn key(&self) -> PolicyKey {
        PolicyKey(self.of.clone(), self.effective_from)
    }

    fn encode(&self) -> Bytes {
        encode_policy_version(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_policy_version(value)
    }
}

impl Key for ChangeId {
    fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.as_str().as_bytes())
    }
}

impl Message for Change {
    type Key = ChangeId;

    fn key(&self) -> ChangeId {
        self.id.clone()
    }

    fn encode(&self) -> Bytes {
        encode_change(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_change(value)
    }
}

/// By camera, and the time at which the change was to be effective.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateChangeKey(String);

impl Key for LateChangeKey {
    fn to_bytes(&self) -> Bytes {
        self.0.clone().into()
    }
}

impl Message for LateChange {
    type Key = LateChangeKey;

    fn key(&self) -> LateChangeKey {
        LateChangeKey(late_change_key(self))
    }

    fn encode(&self) -> Bytes {
        encode_late_change(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_late_change(value)
    }
}

/// By worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerKey(String);

impl Key for WorkerKey {
    fn to_bytes(&self) -> Bytes {
        self.0.clone().into()
    }
}

impl Message for WorkerReport {
    type Key = WorkerKey;

    fn key(&self) -> WorkerKey {
        WorkerKey(self.worker.clone())
    }

    fn encode(&self) -> Bytes {
        encode_worker_report(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_worker_report(value)
    }
}

impl Message for AddressBaseChange {
    type Key = EffectiveFrom;

    fn key(&self) -> EffectiveFrom {
        EffectiveFrom(self.effective_from)
    }

    fn encode(&self) -> Bytes {
        encode_address_change(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_address_change(value)
    }
}

impl Message for AnalysisState {
    type Key = CameraId;

    fn key(&self) -> CameraId {
        self.camera.clone()
    }

    fn encode(&self) -> Bytes {
        encode_state(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_state(value)
    }
}

/// The number of a row of the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowNumber(pub u64);

impl Key for RowNumber {
    fn to_bytes(&self) -> Bytes {
        self.0.to_string().into()
    }
}

/// With the `CloudEvents` 1.0 attributes as headers.
impl Message for AuditRow {
    type Key = RowNumber;

    fn key(&self) -> RowNumber {
        RowNumber(self.number)
    }

    fn encode(&self) -> Bytes {
        encode_audit_row(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_audit_row(value)
    }

    fn headers(&self) -> Vec<Header> {
        let attributes = [
            ("ce_specversion", "1.0".to_owned()),
            // With the hash: a log that was written anew has other events.
            ("ce_id", format!("{}:{}", self.number, self.hash)),
            ("ce_type", "dev.vedette.audit.row.v1".to_owned()),
            ("ce_source", "/audit".to_owned()),
            ("ce_subject", self.entry.object.clone()),
            ("ce_time", self.entry.at.to_string()),
            ("ce_dataschema", "urn:vedette:protobuf:vedette.v1.AuditRow".to_owned()),
            ("content-type", cloudevents::CONTENT_TYPE.to_owned()),
        ];
        attributes.into_iter().map(|(name, value)| Header { name: name.to_owned(), value: value.into() }).collect()
    }
}

impl Message for DeadLetter {
    type Key = Position;

    fn key(&self) -> Position {
        Position { topic: self.topic.as_str().into(), partition: self.partition, offset: self.offset }
    }

    fn encode(&self) -> Bytes {
        encode_dead_letter(self)
    }

    fn decode(value: Bytes) -> Result<Self, WireError> {
        decode_dead_letter(value)
    }
}
