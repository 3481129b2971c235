use std::collections::BTreeSet;

use bytes::Bytes;
use prost::Message;
use vedette_core::{
    Calibration, Camera, CameraId, CameraPose, CameraSource, CameraVersion, ControlPoint, Mask, Priority, SealedLogin,
    Span, Timestamp,
};

use crate::error::parse;
use crate::{WireError, field, pb};

/// The key of a record on `cameras`: `ID` for the first version, `ID/EFFECTIVE_FROM_US` for later ones.
#[must_use]
pub fn camera_key(id: &CameraId, effective_from: Timestamp) -> String {
    versioned_key(id.to_string(), effective_from)
}

/// The key of one version, so that compaction keeps all of them; that of the first is the one which releases without versions use.
pub(crate) fn versioned_key(of: String, effective_from: Timestamp) -> String {
    if effective_from == Timestamp::default() { of } else { format!("{of}/{}", effective_from.as_micros()) }
}

/// The value of a record on `cameras`.
#[must_use]
pub fn encode_camera(version: &CameraVersion) -> Bytes {
    pb_version(version).encode_to_vec().into()
}

pub(crate) fn pb_version(version: &CameraVersion) -> pb::Camera {
    let content = version.content.as_ref().map(pb_camera);
    pb::Camera {
        id: version.of.to_string(),
        effective_from_us: version.effective_from.as_micros(),
        removed: content.is_none(),
        made: version.made.as_ref().map(field::pb_authorship),
        ..content.unwrap_or_default()
    }
}

fn pb_camera(camera: &Camera) -> pb::Camera {
    pb::Camera {
        id: camera.id.to_string(),
        name: camera.name.clone(),
        purpose: camera.purpose.clone(),
        groups: camera.groups.clone(),
        enabled: camera.enabled,
        source: camera.source.as_ref().map(pb_source),
        position: Some(field::pb_ground_point(&camera.position)),
        address_code: camera.address.map(String::from).unwrap_or_default(),
        calibration: camera.calibration.as_ref().map(pb_calibration),
        priority: pb_priority(camera.priority).into(),
        masks: camera.masks.iter().map(pb_mask).collect(),
        ..pb::Camera::default()
    }
}

fn pb_mask(mask: &Mask) -> pb::camera::Mask {
    pb::camera::Mask {
        name: mask.name.clone().unwrap_or_default(),
        frame: field::pb_frame_size(mask.frame),
        polygon: mask.polygon.iter().copied().map(field::pb_pixel_point).collect(),
        picture_only: mask.picture_only,
    }
}

/// `rules` validates the polygon.
fn mask(mask: pb::camera::Mask) -> Result<Mask, WireError> {
    let corner = |corner| field::pixel_point("masks.polygon", Some(corner));
    Ok(Mask {
        name: (!mask.name.is_empty()).then_some(mask.name),
        frame: field::frame_size("masks.frame", mask.frame)?,
        polygon: mask.polygon.into_iter().map(corner).collect::<Result<_, WireError>>()?,
        picture_only: mask.picture_only,
    })
}

fn pb_priority(priority: Priority) -> pb::camera::Priority {
    match priority {
        Priority::Low => pb::camera::Priority::Low,
        Priority::Normal => pb::camera::Priority::Normal,
        Priority::High => pb::camera::Priority::High,
    }
}

fn priority(number: i32) -> Result<Priority, WireError> {
    match pb::camera::Priority::try_from(number) {
        Ok(pb::camera::Priority::Unspecified | pb::camera::Priority::Normal) => Ok(Priority::Normal),
        Ok(pb::camera::Priority::Low) => Ok(Priority::Low),
        Ok(pb::camera::Priority::High) => Ok(Priority::High),
        Err(_) => Err(WireError::invalid("priority", format!("{number} is not a valid priority; known are 0 to 3"))),
    }
}

fn pb_source(source: &CameraSource) -> pb::camera::Source {
    match source {
        CameraSource::File { path, looped, offset } => pb::camera::Source::File(pb::camera::FileSource {
            path: path.clone(),
            looped: *looped,
            offset_us: offset.as_micros(),
        }),
        CameraSource::Rtsp { url, credential, login } => pb::camera::Source::Rtsp(pb::camera::RtspSource {
            url: url.clone(),
            credential: credential.clone().unwrap_or_default(),
            login: login
                .as_ref()
                .map(|login| pb::camera::SealedLogin { user: login.user.clone(), sealed: login.password.to_text() }),
        }),
    }
}

fn pb_calibration(calibration: &Calibration) -> pb::camera::Calibration {
    match calibration {
        Calibration::ControlPoints { frame, points } => {
            pb::camera::Calibration::ControlPoints(pb::camera::ControlPoints {
                frame: field::pb_frame_size(*frame),
                points: points
                    .iter()
                    .map(|point| pb::camera::ControlPoint {
                        pixel: Some(field::pb_pixel_point(point.pixel)),
                        ground: Some(field::pb_ground_point(&point.ground)),
                    })
                    .collect(),
            })
        }
        Calibration::Pose(pose) => pb::camera::Calibration::Pose(pb::camera::Pose {
            height_m: pose.height_m,
            heading_deg: pose.heading_deg,
            pitch_deg: pose.pitch_deg,
            roll_deg: pose.roll_deg,
            field_of_view_deg: pose.field_of_view_deg,
            angle_sigma_deg: pose.angle_sigma_deg,
        }),
    }
}

/// Reads the value of a record on `cameras`.
///
/// # Errors
/// When the bytes are not such a message, or a value breaks its rule. `locate` decides whether a calibration can be solved, `rules`
/// whether masks are valid.
pub fn decode_camera(bytes: Bytes) -> Result<CameraVersion, WireError> {
    version(parse("Camera", bytes)?)
}

pub(crate) fn version(mut message: pb::Camera) -> Result<CameraVersion, WireError> {
    let effective_from = Timestamp::from_micros(message.effective_from_us);
    let of = field::camera_id(&message.id)?;
    let made = message.made.take().map(field::authorship).transpose()?;
    let content = if message.removed { None } else { Some(camera(of.clone(), message)?) };
    Ok(CameraVersion { of, effective_from, content, made, only: BTreeSet::new() })
}

fn camera(id: CameraId, message: pb::Camera) -> Result<Camera, WireError> {
    let address = match message.address_code.as_str() {
        "" => None,
        code => Some(code.parse().map_err(|error| WireError::invalid("address_code", error))?),
    };
    Ok(Camera {
        id,
        name: message.name,
        purpose: message.purpose,
        groups: message.groups,
        enabled: message.enabled,
        priority: priority(message.priority)?,
        source: message.source.map(source).transpose()?,
        position: field::ground_point("position", message.position)?,
        address,
        calibration: message.calibration.map(calibration).transpose()?,
        masks: message.masks.into_iter().map(mask).collect::<Result<_, _>>()?,
    })
}

fn source(source: pb::camera::Source) -> Result<CameraSource, WireError> {
    Ok(match source {
        pb::camera::Source::File(file) => CameraSource::File {
            path: file.path,
            looped: file.looped,
            offset: Span::from_micros(file.offset_us.max(0)),
        },
        pb::camera::Source::Rtsp(rtsp) => CameraSource::Rtsp {
            url: rtsp.url,
            credential: (!rtsp.credential.is_empty()).then_some(rtsp.credential),
            login: rtsp.login.map(login).transpose()?,
        },
    })
}

fn login(login: pb::camera::SealedLogin) -> Result<SealedLogin, WireError> {
    let password = login.sealed.parse().map_err(|error| WireError::invalid("source.login.sealed", error))?;
    Ok(SealedLogin { user: login.user, password })
}

fn calibration(calibration: pb::camera::Calibration) -> Result<Calibration, WireError> {
    Ok(match calibration {
        pb::camera::Calibration::ControlPoints(points) => Calibration::ControlPoints {
            frame: field::frame_size("calibration.frame", points.frame)?,
            points: points
                .points
                .into_iter()
                .map(|point| {
                    Ok(ControlPoint {
                        pixel: field::pixel_point("calibration.points.pixel", point.pixel)?,
                        ground: field::ground_point("calibration.points.ground", point.ground)?,
                    })
                })
                .collect::<Result<_, WireError>>()?,
        },
        pb::camera::Calibration::Pose(pose) => Calibration::Pose(CameraPose {
            height_m: pose.height_m,
            heading_deg: pose.heading_deg,
            pitch_deg: pose.pitch_deg,
            roll_deg: pose.roll_deg,
            field_of_view_deg: pose.field_of_view_deg,
            angle_sigma_deg: pose.angle_sigma_deg,
        }),
    })
}
