//! The detection store: what was detected on each camera, by hour, so that one camera's day is read without the others.
//!
//! *In:* the records of the topic `detections` in their order, tracks made from them. *Out:* the same records bit for bit, tracks by the
//! identity of what they were made from, damage by name. *Must not know:* the bus, the analysis, clocks, what the versions of cameras and
//! policies beside the detections say.
//!
//! Each camera has a folder, and each hour of capture time a file of segments. A segment has the records of some seconds as compressed
//! columns, a checksum, and a number in the order of the bus. It is appended and synced as a whole: a crash leaves at most a torn
//! end, which is cut before the next one is written.

mod boxes;
mod bytes;
mod columns;
mod error;
mod files;
mod hour;
mod hour_file;
mod layout;
mod pictures;
mod planes;
mod recorded;
mod retention;
mod segment;
mod store;
mod streams;
mod tracks;
mod writer;

pub use error::{Damage, FileError};
pub use hour::Hour;
pub use recorded::{Gap, Part, Recorded};
pub use retention::{Limits, Swept};
pub use segment::BusPosition;
pub use store::DetectionStore;
pub use tracks::{FrameTracks, PartTracks, TracksCursor, TracksKey, TracksWriter};
pub use writer::CameraWriter;
