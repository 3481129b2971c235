//! Validation and conversion of the small messages within larger ones.

use vedette_core::{
    Authorship, CameraId, ChangeId, Direction, FrameSize, GroundPoint, ModelRef, ObjectClass, Owner, PixelBox,
    PixelPoint, Quality, RuleId, Score, ShedReason, SignalLossReason, Span, Timestamp, VideoRef,
};

use crate::{WireError, pb};

const LARGEST_SIDE: u32 = 32_768;

pub(crate) fn camera_id(text: &str) -> Result<CameraId, WireError> {
    CameraId::new(text).map_err(|error| WireError::invalid("camera", error))
}

pub(crate) fn rule_id(text: &str) -> Result<RuleId, WireError> {
    RuleId::new(text).map_err(|error| WireError::invalid("rule", error))
}

pub(crate) fn change_id(text: &str) -> Result<ChangeId, WireError> {
    ChangeId::new(text).map_err(|error| WireError::invalid("change", error))
}

/// Most bytes of an author's name or a reason.
const LONGEST_WORDS: usize = 4_000;

pub(crate) fn authorship(made: pb::Authorship) -> Result<Authorship, WireError> {
    if made.author.len() > LONGEST_WORDS || made.reason.len() > LONGEST_WORDS {
        return Err(WireError::invalid("made", format!("author and reason have {LONGEST_WORDS} bytes at most")));
    }
    let owner = match pb::authorship::Owner::try_from(made.owner) {
        Ok(pb::authorship::Owner::Console) => Owner::Console,
        _ => Owner::File,
    };
    let (at, parent) = (Timestamp::from_micros(made.at_us), made.parent_us.map(Timestamp::from_micros));
    Ok(Authorship { author: made.author, reason: made.reason, at, owner, parent })
}

pub(crate) fn pb_authorship(made: &Authorship) -> pb::Authorship {
    let owner = match made.owner {
        Owner::File => pb::authorship::Owner::File,
        Owner::Console => pb::authorship::Owner::Console,
    };
    pb::Authorship {
        author: made.author.clone(),
        reason: made.reason.clone(),
        at_us: made.at.as_micros(),
        owner: owner.into(),
        parent_us: made.parent.map(Timestamp::as_micros),
    }
}

pub(crate) fn frame_size(field: &'static str, size: Option<pb::FrameSize>) -> Result<FrameSize, WireError> {
    let pb::FrameSize { width, height } = size.ok_or(WireError::missing(field))?;
    if !(1..=LARGEST_SIDE).contains(&width) || !(1..=LARGEST_SIDE).contains(&height) {
        return Err(WireError::invalid(
            field,
            format!("{width}x{height} is not a valid frame size; each side is 1 to 32768"),
        ));
    }
    Ok(FrameSize { width, height })
}

pub(crate) fn pb_frame_size(size: FrameSize) -> Option<pb::FrameSize> {
    Some(pb::FrameSize { width: size.width, height: size.height })
}

pub(crate) fn pixel_point(field: &'static str, point: Option<pb::PixelPoint>) -> Result<PixelPoint, WireError> {
    let pb::PixelPoint { x, y } = point.ok_or(WireError::missing(field))?;
    if !x.is_finite() || !y.is_finite() {
        return Err(WireError::invalid(field, format!("({x}, {y}) is not a valid pixel")));
    }
    Ok(PixelPoint::new(x, y))
}

pub(crate) fn pb_pixel_point(point: PixelPoint) -> pb::PixelPoint {
    pb::PixelPoint { x: point.x, y: point.y }
}

pub(crate) fn pixel_box(field: &'static str, bbox: Option<pb::PixelBox>) -> Result<PixelBox, WireError> {
    let pb::PixelBox { x, y, width, height } = bbox.ok_or(WireError::missing(field))?;
    let finite = [x, y, width, height].iter().all(|value| value.is_finite());
    if !finite || width <= 0.0 || height <= 0.0 {
        return Err(WireError::invalid(field, format!("({x}, {y}) with {width} x {height} is not a valid box")));
    }
    Ok(PixelBox::new(x, y, width, height))
}

pub(crate) fn pb_pixel_box(bbox: PixelBox) -> pb::PixelBox {
    pb::PixelBox { x: bbox.x, y: bbox.y, width: bbox.width, height: bbox.height }
}

pub(crate) fn finite(field: &'static str, value: f64) -> Result<f64, WireError> {
    if value.is_finite() {
        Ok(value)
    } else {
        Err(WireError::invalid(field, format!("{value} is not a finite number")))
    }
}

pub(crate) fn ground_point(field: &'static str, point: Option<pb::GroundPoint>) -> Result<GroundPoint, WireError> {
    let point = point.ok_or(WireError::missing(field))?;
    GroundPoint::new(point.latitude, point.longitude, point.error_m).map_err(|error| WireError::invalid(field, error))
}

pub(crate) fn pb_ground_point(point: &GroundPoint) -> pb::GroundPoint {
    pb::GroundPoint { latitude: point.latitude(), longitude: point.longitude(), error_m: point.error_m() }
}

pub(crate) fn object_class(field: &'static str, number: i32) -> Result<ObjectClass, WireError> {
    u32::try_from(number)
        .ok()
        .and_then(ObjectClass::from_number)
        .ok_or_else(|| WireError::invalid(field, format!("{number} is not a valid object class")))
}

pub(crate) fn shed_reason(field: &'static str, number: i32) -> Result<ShedReason, WireError> {
    let known = u8::try_from(number).ok().and_then(ShedReason::from_number);
    known.ok_or_else(|| {
        WireError::invalid(field, format!("{number} is not a valid reason to shed a frame; known are 1 to 10"))
    })
}

pub(crate) fn pb_shed_reason(reason: ShedReason) -> i32 {
    i32::from(reason.number())
}

/// A reason that this version does not know is unknown, not an error.
pub(crate) fn signal_loss_reason(number: i32) -> SignalLossReason {
    SignalLossReason::from_number(number)
}

pub(crate) fn pb_signal_loss_reason(reason: SignalLossReason) -> i32 {
    i32::from(reason.number())
}

pub(crate) fn score(field: &'static str, value: f32) -> Result<Score, WireError> {
    Score::new(value).map_err(|error| WireError::invalid(field, error))
}

pub(crate) fn model(model: Option<pb::Model>) -> Result<ModelRef, WireError> {
    let pb::Model { name, version } = model.ok_or(WireError::missing("model"))?;
    Ok(ModelRef { name, version })
}

pub(crate) fn pb_model(model: &ModelRef) -> Option<pb::Model> {
    Some(pb::Model { name: model.name.clone(), version: model.version.clone() })
}

pub(crate) fn quality(quality: Option<pb::Quality>) -> Quality {
    quality.map_or_else(Quality::default, |q| Quality {
        clock_drift: q.clock_drift,
        degraded: q.degraded,
        corrupt: q.corrupt,
        shed_frames: q.shed_frames,
    })
}

pub(crate) fn pb_quality(quality: Quality) -> Option<pb::Quality> {
    (quality != Quality::default()).then_some(pb::Quality {
        clock_drift: quality.clock_drift,
        degraded: quality.degraded,
        corrupt: quality.corrupt,
        shed_frames: quality.shed_frames,
    })
}

pub(crate) fn video_ref(video: pb::VideoRef) -> VideoRef {
    VideoRef { partition: video.partition, offset: video.offset, sequence: video.sequence }
}

pub(crate) fn pb_video_ref(video: VideoRef) -> pb::VideoRef {
    pb::VideoRef { partition: video.partition, offset: video.offset, sequence: video.sequence }
}

pub(crate) fn pb_direction(direction: Direction) -> pb::Direction {
    match direction {
        Direction::LeftToRight => pb::Direction::LeftToRight,
        Direction::RightToLeft => pb::Direction::RightToLeft,
        Direction::Both => pb::Direction::Both,
    }
}

pub(crate) fn direction(number: i32) -> Result<Option<Direction>, WireError> {
    match pb::Direction::try_from(number) {
        Ok(pb::Direction::Unspecified) => Ok(None),
        Ok(pb::Direction::LeftToRight) => Ok(Some(Direction::LeftToRight)),
        Ok(pb::Direction::RightToLeft) => Ok(Some(Direction::RightToLeft)),
        Ok(pb::Direction::Both) => Ok(Some(Direction::Both)),
        Err(_) => Err(WireError::invalid("direction", format!("{number} is not a valid direction"))),
    }
}

pub(crate) fn span(field: &'static str, micros: i64) -> Result<Span, WireError> {
    if micros < 0 {
        return Err(WireError::invalid(field, format!("{micros} is negative")));
    }
    Ok(Span::from_micros(micros))
}

pub(crate) fn unknown(field: &'static str, number: i32) -> WireError {
    WireError::invalid(field, format!("{number} is not known"))
}
