//! A camera and an empty frame for tests.

use vedette_core::{
    Camera, CameraId, CameraRecord, FrameAt, FrameSize, ModelRef, ProcessedFrame, RecordBody, Timestamp,
};

pub(super) fn frame(epoch: u64, sequence: u64, captured: Timestamp) -> CameraRecord {
    CameraRecord {
        camera: CameraId::new("gate").expect("it is an id"),
        at: FrameAt { epoch, sequence, captured },
        model: ModelRef { name: "m".into(), version: "1".into() },
        body: RecordBody::Processed(ProcessedFrame::empty(FrameSize { width: 640, height: 480 })),
    }
}

pub(crate) fn camera() -> Camera {
    let json =
        r#"{"id": "gate", "name": "Gate", "purpose": "safety", "position": {"longitude": 114.0, "latitude": 22.5}}"#;
    serde_json::from_str(json).expect("it is a camera")
}
