//! The records of a camera's frames on `detections`.

use vedette_bus::Delivered;
use vedette_core::{
    AccountOnly, CameraId, CameraRecord, FrameAccount, FrameAt, FrameSize, ModelRef, PictureStats, ProcessedFrame,
    Quality, RecordBody, StageLatency, Timestamp, VideoChunk, VideoRef,
};
use vedette_detect::Detected;

use super::group::GroupStart;

/// What the units of a chunk have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin {
    epoch: u64,
    published: Timestamp,
    partition: u32,
    decode_from: u64,
    frame: FrameSize,
    /// The capture times are known to be off.
    clock_drift: bool,
}

impl Origin {
    pub(super) fn new(chunk: &VideoChunk, published: Timestamp, record: &Delivered, start: Option<GroupStart>) -> Self {
        let decode_from = start.map_or(record.position.offset, |start| start.decode_from);
        Self {
            epoch: chunk.epoch,
            published,
            partition: record.position.partition,
            decode_from,
            frame: chunk.frame,
            clock_drift: chunk.clock_drift,
        }
    }
}

/// Facts about a picture other than its content.
pub(super) struct Facts {
    /// Its unit's number.
    pub(super) unit: u64,
    pub(super) native: FrameSize,
    pub(super) corrupt: bool,
    pub(super) degraded: bool,
    pub(super) decoded_at: Timestamp,
    pub(super) picture: Option<PictureStats>,
}

/// Makes the records of one camera.
pub(super) struct Records {
    camera: CameraId,
    model: ModelRef,
    /// Origin and capture time of the last settled frame that came.
    last: Option<(Origin, Timestamp)>,
}

impl Records {
    pub(super) fn new(camera: CameraId, model: ModelRef) -> Self {
        Self { camera, model, last: None }
    }

    /// The next frame in order; none of both for frames that never came.
    pub(super) fn next(&mut self, origin: Option<Origin>, captured: Timestamp) {
        self.last = origin.map(|origin| (origin, captured)).or(self.last);
    }

    /// The record of the frame `sequence`, which is the next one.
    pub(super) fn of_frame(
        &self,
        sequence: u64,
        facts: Facts,
        detected: Detected,
        account: FrameAccount,
    ) -> Option<CameraRecord> {
        let (origin, captured) = self.last?;
        let Facts { unit, native, corrupt, degraded, decoded_at, picture } = facts;
        let Origin { published, partition, decode_from, clock_drift, .. } = origin;
        let Detected { detections, wait, inference } = detected;
        let processed = ProcessedFrame {
            frame: native,
            detections,
            quality: Quality { clock_drift, corrupt, degraded, ..Quality::default() },
            video: Some(VideoRef { partition, offset: decode_from, sequence: unit }),
            latency: Some(StageLatency {
                chunk: published.since(captured),
                decode: decoded_at.since(published),
                wait,
                inference,
            }),
            account: Some(account),
            picture,
        };
        Some(self.record(origin, captured, sequence, RecordBody::Processed(processed)))
    }

    /// The record of frames up to `sequence` without detections.
    pub(super) fn of_rest(&self, sequence: u64, account: FrameAccount) -> Option<CameraRecord> {
        let (origin, captured) = self.last?;
        let body = RecordBody::AccountOnly(AccountOnly { account, frame: Some(origin.frame) });
        Some(self.record(origin, captured, sequence, body))
    }

    fn record(&self, origin: Origin, captured: Timestamp, sequence: u64, body: RecordBody) -> CameraRecord {
        let at = FrameAt { epoch: origin.epoch, sequence, captured };
        CameraRecord { camera: self.camera.clone(), at, model: self.model.clone(), body }
    }
}
