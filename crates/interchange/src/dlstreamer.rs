//! Intel DL Streamer: the JSON of `gvametaconvert` as published by `gvametapublish`.

use serde::Deserialize;
use vedette_core::Timestamp;

use crate::ReadError;
use crate::frame::{self, ForeignBox, ForeignFrame, ForeignObject};

const FORMAT: &str = "DL Streamer JSON";

#[derive(Deserialize)]
struct Message {
    /// Absent when nothing was detected.
    #[serde(default)]
    objects: Vec<Object>,
    resolution: Option<Resolution>,
    source: Option<String>,
    /// Nanoseconds, usually since the start of the stream.
    timestamp: Option<u64>,
    /// UTC or local time with its offset, where the pipeline has time codes.
    system_timestamp: Option<String>,
    rtp: Option<Rtp>,
}

/// With `timestamp-rtp`: the camera's own clock.
#[derive(Deserialize)]
struct Rtp {
    sender_ntp_unix_timestamp_ns: Option<u64>,
}

#[derive(Deserialize)]
struct Resolution {
    width: u64,
    height: u64,
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
    let size =
        message.resolution.as_ref().map(|size| frame::frame_size("resolution", size.width, size.height)).transpose()?;
    Ok(ForeignFrame {
        sensor: frame::name("source", message.source.as_deref().unwrap_or_default())?,
        captured: captured(&message)?,
        size,
        version: String::new(),
        objects: message.objects.into_iter().map(object).collect::<Result<_, _>>()?,
    })
}

/// The camera's own clock, else the pipeline's, else the stream's time if it counts from 1970.
fn captured(message: &Message) -> Result<Option<Timestamp>, ReadError> {
    let since_1970 = |nanos: u64| i64::try_from(nanos / 1_000).ok().and_then(frame::capture_time);
    if let Some(nanos) = message.rtp.as_ref().and_then(|rtp| rtp.sender_ntp_unix_timestamp_ns) {
        return Ok(since_1970(nanos));
    }
    match &message.system_timestamp {
        Some(text) => match rfc_3339(text).parse::<Timestamp>() {
            Ok(time) => Ok(frame::capture_time(time.as_micros())),
            Err(cause) => Err(ReadError::invalid("system_timestamp", format!("no time: {cause}"))),
        },
        None => Ok(message.timestamp.and_then(since_1970)),
    }
}

/// RFC 3339 from a local time of the form `10:00:00.250:+0800`.
fn rfc_3339(text: &str) -> String {
    match text.rsplit_once(':') {
        Some((time, offset)) if offset.len() == 5 && offset.starts_with(['+', '-']) && offset.is_ascii() => {
            format!("{time}{}:{}", &offset[..3], &offset[3..])
        }
        _ => text.to_owned(),
    }
}

/// The detector's own box; if missing, the region of interest in pixels. An entry without a label is a classification of the whole
/// frame and not an object: it gets no box.
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
        shape: shape.or(region).filter(|_| label.is_some()),
    })
}
