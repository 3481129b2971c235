//! NVIDIA nvschema: protobuf `nv.Frame`, as published by DeepStream's message converter and Metropolis services.

use prost::Message;

use crate::frame::{self, ForeignBox, ForeignFrame, ForeignObject};
use crate::{ReadError, nv};

pub(crate) fn read(bytes: &[u8]) -> Result<ForeignFrame, ReadError> {
    let message = nv::Frame::decode(bytes).map_err(|cause| ReadError::unparsable("nv.Frame", cause))?;
    frame::check_count("objects", message.objects.len())?;
    // Almost any short bytes parse as an empty message, so a frame needs a time.
    let Some(timestamp) = message.timestamp else {
        return Err(ReadError::invalid("timestamp", "it is missing"));
    };
    Ok(ForeignFrame {
        sensor: frame::name("sensorId", &message.sensor_id)?,
        captured: captured(timestamp),
        size: None,
        version: frame::name("version", &message.version)?.unwrap_or_default(),
        objects: message.objects.iter().map(object).collect::<Result<_, _>>()?,
    })
}

fn captured(timestamp: nv::frame::Timestamp) -> Option<vedette_core::Timestamp> {
    let nanos = (0..1_000_000_000).contains(&timestamp.nanos).then_some(i64::from(timestamp.nanos))?;
    frame::capture_time(timestamp.seconds.checked_mul(1_000_000)?.checked_add(nanos / 1_000)?)
}

fn object(object: &nv::Object) -> Result<ForeignObject, ReadError> {
    let shape = object.bbox.map(|bbox| ForeignBox::Pixels {
        left: bbox.left_x.into(),
        top: bbox.top_y.into(),
        right: bbox.right_x.into(),
        bottom: bbox.bottom_y.into(),
    });
    Ok(ForeignObject { class: frame::name("objects.type", &object.r#type)?, confidence: object.confidence, shape })
}
