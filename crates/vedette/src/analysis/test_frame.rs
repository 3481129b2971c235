//! A frame for tests: nothing is in it.

use vedette_core::{CameraId, FrameDetections, FrameSize, ModelRef, Quality, Timestamp};

pub(super) fn frame(epoch: u64, sequence: u64, captured: Timestamp) -> FrameDetections {
    FrameDetections {
        camera: CameraId::new("gate").expect("it is an id"),
        epoch,
        sequence,
        captured,
        frame: FrameSize { width: 640, height: 480 },
        detections: Vec::new(),
        model: ModelRef { name: "m".into(), version: "1".into() },
        quality: Quality::default(),
        video: None,
        latency: None,
        account: None,
        picture: None,
        away: false,
    }
}
