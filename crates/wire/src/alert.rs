use bytes::Bytes;
use prost::Message;
use vedette_core::{
    Alert, AlertObject, AlertStatus, EventCode, Evidence, Measured, PathPoint, Place, PlaceSource, Timestamp, TrackId,
};

use crate::address_match::{address, pb_address};
use crate::error::parse;
use crate::field::{direction, pb_direction, unknown};
use crate::name;
use crate::policy::{pb_severity, severity};
use crate::{WireError, field, pb};

/// The value of a record on `alerts`.
#[must_use]
pub fn encode_alert(alert: &Alert) -> Bytes {
    let status = match alert.status {
        AlertStatus::Open => pb::alert::Status::Open,
        AlertStatus::Ended => pb::alert::Status::Ended,
    };
    let (kind, kind_name) = name::pb_kind(alert.kind);
    pb::Alert {
        id: alert.id.to_string(),
        revision: alert.revision,
        status: status.into(),
        kind,
        kind_name,
        event_code: alert.event_code.map_or(0, |code| code.number().into()),
        severity: pb_severity(alert.severity).into(),
        camera: alert.camera.to_string(),
        rule: alert.rule.to_string(),
        rule_name: alert.rule_name.clone(),
        policy_version: alert.policy_version,
        started_us: alert.started.as_micros(),
        raised_us: alert.raised.as_micros(),
        ended_us: alert.ended.map(Timestamp::as_micros),
        objects: alert.objects.iter().map(pb_object).collect(),
        direction: alert.direction.map_or(pb::Direction::Unspecified, pb_direction).into(),
        measured: Some(pb_measured(alert.measured)),
        place: Some(pb_place(&alert.place)),
        evidence: Some(pb_evidence(&alert.evidence)),
        quality: field::pb_quality(alert.quality),
        model: field::pb_model(&alert.model),
        signal_loss: alert.signal_loss.map_or(0, field::pb_signal_loss_reason),
    }
    .encode_to_vec()
    .into()
}

fn pb_object(object: &AlertObject) -> pb::alert::Object {
    pb::alert::Object {
        track: object.track.0,
        class: i32::from(object.class.number()),
        score: object.score.get(),
        r#box: Some(field::pb_pixel_box(object.bbox)),
    }
}

fn pb_measured(measured: Measured) -> pb::alert::Measured {
    let (quantity, quantity_name) = name::pb_quantity(measured.quantity);
    pb::alert::Measured { quantity, quantity_name, value: measured.value, threshold: measured.threshold }
}

fn pb_place(place: &Place) -> pb::alert::Place {
    use pb::alert::place::Source;
    let source = match place.source {
        PlaceSource::Calibration => Source::Calibration,
        PlaceSource::AboveHorizon => Source::AboveHorizon,
        PlaceSource::CameraPosition => Source::CameraPosition,
    };
    pb::alert::Place {
        ground: Some(field::pb_ground_point(&place.ground)),
        source: source.into(),
        address: place.address.as_ref().map(pb_address),
    }
}

fn pb_evidence(evidence: &Evidence) -> pb::alert::Evidence {
    let path = evidence.path.iter().map(|step| pb::alert::PathPoint {
        at_us: step.at.as_micros(),
        pixel: Some(field::pb_pixel_point(step.pixel)),
    });
    pb::alert::Evidence {
        captured_us: evidence.captured.as_micros(),
        frame: field::pb_frame_size(evidence.frame),
        video: evidence.video.map(field::pb_video_ref),
        people: evidence.people.iter().copied().map(field::pb_pixel_box).collect(),
        path: path.collect(),
    }
}

/// Reads the value of a record on `alerts`.
///
/// # Errors
/// When the bytes are not such a message, or a value breaks its rule.
pub fn decode_alert(bytes: Bytes) -> Result<Alert, WireError> {
    let message: pb::Alert = parse("Alert", bytes)?;
    let status = match message.status() {
        pb::alert::Status::Open => AlertStatus::Open,
        pb::alert::Status::Ended => AlertStatus::Ended,
        pb::alert::Status::Unspecified => return Err(unknown("status", message.status)),
    };
    let kind = name::kind(message.kind, &message.kind_name)?;
    Ok(Alert {
        id: message.id.parse().map_err(|error| WireError::invalid("id", error))?,
        revision: message.revision,
        status,
        kind,
        event_code: event_code(message.event_code)?,
        severity: severity(message.severity)?,
        camera: field::camera_id(&message.camera)?,
        rule: field::rule_id(&message.rule)?,
        rule_name: message.rule_name,
        policy_version: message.policy_version,
        started: Timestamp::from_micros(message.started_us),
        raised: Timestamp::from_micros(message.raised_us),
        ended: message.ended_us.map(Timestamp::from_micros),
        objects: message.objects.into_iter().map(object).collect::<Result<_, _>>()?,
        direction: direction(message.direction)?,
        measured: measured(message.measured.ok_or(WireError::missing("measured"))?)?,
        place: place(message.place.ok_or(WireError::missing("place"))?)?,
        evidence: evidence(message.evidence.ok_or(WireError::missing("evidence"))?)?,
        quality: field::quality(message.quality),
        model: field::model(message.model)?,
        signal_loss: (message.signal_loss != 0).then(|| field::signal_loss_reason(message.signal_loss)),
    })
}

fn event_code(number: u32) -> Result<Option<EventCode>, WireError> {
    let code = (number != 0).then(|| EventCode::new(number)).transpose();
    code.map_err(|error| WireError::invalid("event_code", error))
}

fn object(message: pb::alert::Object) -> Result<AlertObject, WireError> {
    Ok(AlertObject {
        track: TrackId(message.track),
        class: field::object_class("objects.class", message.class)?,
        score: field::score("objects.score", message.score)?,
        bbox: field::pixel_box("objects.box", message.r#box)?,
    })
}

fn measured(message: pb::alert::Measured) -> Result<Measured, WireError> {
    let quantity = name::quantity(message.quantity, &message.quantity_name)?;
    Ok(Measured { quantity, value: message.value, threshold: message.threshold })
}

fn place(message: pb::alert::Place) -> Result<Place, WireError> {
    use pb::alert::place::Source;
    let source = match message.source() {
        Source::Calibration => PlaceSource::Calibration,
        Source::AboveHorizon => PlaceSource::AboveHorizon,
        Source::CameraPosition => PlaceSource::CameraPosition,
        Source::Unspecified => return Err(unknown("place.source", message.source)),
    };
    Ok(Place {
        ground: field::ground_point("place.ground", message.ground)?,
        source,
        address: message.address.map(address).transpose()?,
    })
}

fn evidence(message: pb::alert::Evidence) -> Result<Evidence, WireError> {
    let people = message.people.into_iter().map(|bbox| field::pixel_box("evidence.people", Some(bbox)));
    let path = message.path.into_iter().map(|step| {
        Ok(PathPoint {
            at: Timestamp::from_micros(step.at_us),
            pixel: field::pixel_point("evidence.path", step.pixel)?,
        })
    });
    Ok(Evidence {
        captured: Timestamp::from_micros(message.captured_us),
        frame: field::frame_size("evidence.frame", message.frame)?,
        video: message.video.map(field::video_ref),
        people: people.collect::<Result<_, _>>()?,
        path: path.collect::<Result<_, WireError>>()?,
    })
}
