//! Intel DL Streamer: the JSON that `gvametaconvert` makes and `gvametapublish` sends.

use serde::Deserialize;

use crate::ReadError;
use crate::frame::{self, ForeignBox, ForeignFrame, ForeignObject};

const FORMAT: &str = "DL Streamer JSON";

#[derive(Deserialize)]
struct Message {
    /// Absent when nothing was seen.
    #[serde(default)]
    objects: Vec<Object>,
    resolution: Option<Resolution>,
    source: Option<String>,
    timestamp: Option<Time>,
}

#[derive(Deserialize)]
struct Resolution {
    width: u64,
    height: u64,
}

/// Nanoseconds, since 1970 or since the stream's start; newer versions can write UTC as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Time {
    Nanoseconds(u64),
    Text(String),
}

#[derive(Deserialize)]
struct Object {
    detection: Option<Detection>,
    roi_type: Option<String>,
    x: Option<f64>,
    y: Option<f64>,
    w: Option<f64>,
    h: Option<f64>,
}

#[derive(Deserialize)]
struct Detection {
    bounding_box: Option<BoundingBox>,
    confidence: Option<f32>,
    label: Option<String>,
}

/// Fractions of the frame.
#[derive(Deserialize)]
struct BoundingBox {
    x_min: f64,
    y_min: f64,
    x_max: f64,
    y_max: f64,
}

pub(crate) fn read(bytes: &[u8]) -> Result<ForeignFrame, ReadError> {
    let message: Message = serde_json::from_slice(bytes).map_err(|cause| ReadError::unparsable(FORMAT, cause))?;
    if message.objects.is_empty() && message.resolution.is_none() && message.timestamp.is_none() {
        return Err(ReadError::unparsable(FORMAT, "it has no `objects`, `resolution` or `timestamp`"));
    }
    frame::check_count("objects", message.objects.len())?;
    let size = message.resolution.map(|size| frame::frame_size("resolution", size.width, size.height)).transpose()?;
    Ok(ForeignFrame {
        sensor: frame::name("source", message.source.as_deref().unwrap_or_default())?,
        captured: message.timestamp.map(captured).transpose()?.flatten(),
        size,
        version: String::new(),
        objects: message.objects.into_iter().map(object).collect::<Result<_, _>>()?,
    })
}

fn captured(time: Time) -> Result<Option<vedette_core::Timestamp>, ReadError> {
    match time {
        Time::Nanoseconds(nanos) => Ok(i64::try_from(nanos / 1_000).ok().and_then(frame::capture_time)),
        Time::Text(text) => match text.parse::<vedette_core::Timestamp>() {
            Ok(time) => Ok(frame::capture_time(time.as_micros())),
            Err(cause) => Err(ReadError::invalid("timestamp", format!("no RFC 3339 time: {cause}"))),
        },
    }
}

/// The detector's own box; where that is missing, the region of interest in pixels.
fn object(object: Object) -> Result<ForeignObject, ReadError> {
    let region = match (object.x, object.y, object.w, object.h) {
        (Some(x), Some(y), Some(w), Some(h)) => {
            Some(ForeignBox::Pixels { left: x, top: y, right: x + w, bottom: y + h })
        }
        _ => None,
    };
    let detection = object.detection.as_ref();
    let shape = detection.and_then(|detection| detection.bounding_box.as_ref()).map(|bbox| ForeignBox::Fractions {
        left: bbox.x_min,
        top: bbox.y_min,
        right: bbox.x_max,
        bottom: bbox.y_max,
    });
    let label = detection.and_then(|detection| detection.label.as_deref()).or(object.roi_type.as_deref());
    Ok(ForeignObject {
        class: frame::name("objects.detection.label", label.unwrap_or_default())?,
        confidence: detection.and_then(|detection| detection.confidence),
        shape: shape.or(region),
    })
}
