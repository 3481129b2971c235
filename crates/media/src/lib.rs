//! Cameras and recordings to chunks of encoded video, chunks to pictures, pictures to snapshots and clips.
//!
//! *In:* RTSP streams and video files; later the chunks themselves. *Out:* [`vedette_core::VideoChunk`] from [`Intake`],
//! RGB frames from [`Decoder`], JPEG and `WebM` with people pixelated and masks black from [`snapshot`] and [`clip`], a report on a
//! source from [`probe`].
//! *Must not know:* models, detections, Kafka, what a chunk is called on the bus.
//!
//! Intake never decodes. Bytes from the network meet memory-safe code first (`vedette-rtsp` takes RTSP and RTP apart); the decoder takes
//! elementary streams only, checks sizes before the codec sees them, and builds from a short list of GStreamer elements.

mod bits;
mod capture;
mod chunker;
mod clip;
mod cpu_time;
mod decode;
mod draw;
mod fields;
mod frame_numbers;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz_targets;
mod init;
mod intake;
mod mask;
mod metrics;
mod nal;
mod parameter_sets;
mod probe;
mod redact;
mod slice;
mod snapshot;
mod sps;
mod transcode;

pub use clip::{Clip, ClipError, ClipFrame, ClipSettings, MadeClip, clip};
pub use decode::{DecodeError, DecodedFrame, Decoder, DecoderSettings, Keep, OutputSize, RgbImage};
pub use init::{MediaError, init};
pub use intake::{
    Clock, Credentials, Intake, IntakeEvent, IntakeSettings, IntakeSource, LossReason, NewestEpoch, Recording,
    RefusalReason, inspect,
};
pub use mask::paint;
pub use metrics::METRICS;
pub use probe::{
    CameraClock, ClockSource, Groups, KeyFrames, ProbeError, ProbeReport, ProbeSettings, ProbeSource, ProbeStill,
    Rates, Transmission, draw_grid, probe, probe_violations, warnings,
};
pub use redact::Marks;
pub use snapshot::{Snapshot, SnapshotError, SnapshotSettings, snapshot};
pub use transcode::{TranscodeError, TranscodeProgress, TranscodeSettings, transcode_to_h264};
