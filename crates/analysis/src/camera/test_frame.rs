//! An empty frame for tests.

use vedette_core::{CameraId, CameraRecord, FrameAt, FrameSize, ModelRef, ProcessedFrame, RecordBody, Timestamp};

pub(super) fn frame(epoch: u64, sequence: u64, captured: Timestamp) -> CameraRecord {
    CameraRecord {
        camera: CameraId::new("gate").expect("it is an id"),
        at: FrameAt { epoch, sequence, captured },
        model: ModelRef { name: "m".into(), version: "1".into() },
        body: RecordBody::Processed(ProcessedFrame::empty(FrameSize { width: 640, height: 480 })),
    }
}
