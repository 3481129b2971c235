//! A frame for tests: nothing is in it.

use vedette_core::{CameraId, FrameDetections, FrameSize, ModelRef, Timestamp};

pub(super) fn frame(epoch: u64, sequence: u64, captured: Timestamp) -> FrameDetections {
    let camera = CameraId::new("gate").expect("it is an id");
    let model = ModelRef { name: "m".into(), version: "1".into() };
    FrameDetections::bare(camera, (epoch, sequence), captured, FrameSize { width: 640, height: 480 }, model)
}
