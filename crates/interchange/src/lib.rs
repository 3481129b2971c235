//! Detection metadata of other producers: DeepStream, DL Streamer and ONVIF devices.
//!
//! *In:* the bytes of one message and its format. *Out:* its frames ([`ForeignFrame`]), and, under a site's terms ([`Terms`]),
//! detections in our format ([`Imported`]). *Must not know:* where messages come from or go to, which camera a sensor is, clocks.
//!
//! Only class and box of an object are imported. Identities, embeddings, poses and attributes are not read, and faces and number
//! plates are ignored: Vedette is about events at places.

mod classes;
mod dlstreamer;
mod error;
mod frame;
mod import;
mod nvschema;
mod onvif;

/// Types made from `proto/nv` by prost.
#[expect(missing_docs, reason = "generated from proto/, which holds the docs")]
pub mod nv {
    include!(concat!(env!("OUT_DIR"), "/nv.rs"));
}

use serde::{Deserialize, Serialize};

pub use classes::ClassNames;
pub use error::ReadError;
pub use frame::{ForeignBox, ForeignFrame, ForeignObject, MOST_FRAMES, MOST_OBJECTS};
pub use import::{Imported, LeftOut, Terms};

/// A format of detection metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// NVIDIA nvschema: protobuf `nv.Frame`, one frame per message. Boxes are in pixels; the frame's size is not included.
    Nvschema,
    /// Intel DL Streamer: JSON of `gvametaconvert`, one frame per message. Boxes are fractions of the frame.
    Dlstreamer,
    /// ONVIF scene description: XML `tt:MetadataStream`, any number of frames (ONVIF Analytics Service Specification).
    Onvif,
}

impl Format {
    /// The name in configuration, logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nvschema => "nvschema",
            Self::Dlstreamer => "dlstreamer",
            Self::Onvif => "onvif",
        }
    }

    /// Whether its messages can contain the size of the frame to which their boxes refer.
    #[must_use]
    pub const fn says_frame_size(self) -> bool {
        matches!(self, Self::Dlstreamer)
    }
}

/// Parses one message. A message without a frame (ONVIF: events or PTZ status only) yields none.
///
/// # Errors
/// When the bytes are not in that format, or a value breaks a rule of it; the error names the field.
pub fn read(format: Format, bytes: &[u8]) -> Result<Vec<ForeignFrame>, ReadError> {
    match format {
        Format::Nvschema => Ok(vec![nvschema::read(bytes)?]),
        Format::Dlstreamer => Ok(vec![dlstreamer::read(bytes)?]),
        Format::Onvif => onvif::read(bytes),
    }
}
