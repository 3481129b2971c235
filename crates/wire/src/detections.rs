use bytes::Bytes;
use prost::Message;
use vedette_core::{
    AccountOnly, CameraRecord, Detection, FrameAccount, FrameAt, FrameSize, PictureStats, ProcessedFrame, RecordBody,
    ShedRange, Span, StageLatency, Timestamp,
};

use crate::error::parse;
use crate::{WireError, field, pb};

/// Most boxes of one frame; a record with more is refused whole.
const MOST_DETECTIONS: usize = 10_000;
/// Placeholder frame size where there is no frame: the field is mandatory.
const NO_FRAME: FrameSize = FrameSize { width: 1, height: 1 };

/// Encodes a record on `detections`.
#[must_use]
pub fn encode_detections(record: &CameraRecord) -> Bytes {
    let common = pb::FrameDetections {
        camera: record.camera.to_string(),
        epoch: record.at.epoch,
        sequence: record.at.sequence,
        captured_us: record.at.captured.as_micros(),
        model: field::pb_model(&record.model),
        account: record.account().map(pb_account),
        ..pb::FrameDetections::default()
    };
    let message = match &record.body {
        RecordBody::Processed(frame) => pb::FrameDetections {
            frame: field::pb_frame_size(frame.frame),
            detections: frame.detections.iter().map(pb_detection).collect(),
            quality: field::pb_quality(frame.quality),
            video: frame.video.map(field::pb_video_ref),
            latency: frame.latency.map(pb_latency),
            picture: frame.picture.as_ref().map(pb_picture),
            ..common
        },
        RecordBody::AccountOnly(only) => {
            pb::FrameDetections { frame: field::pb_frame_size(only.frame.unwrap_or(NO_FRAME)), ..common }
        }
        RecordBody::SignalLoss(reason) => pb::FrameDetections {
            frame: field::pb_frame_size(NO_FRAME),
            away: true,
            away_reason: field::pb_signal_loss_reason(*reason),
            ..common
        },
    };
    message.encode_to_vec().into()
}

/// Decodes a record on `detections`.
///
/// # Errors
/// When the bytes are not such a message, or a value breaks its rule (score outside 0 to 1, box without area, NaN, unknown
/// class, more than 10,000 boxes, frame accounting that does not match the record's number, detections in a record of no
/// processed frame).
pub fn decode_detections(bytes: Bytes) -> Result<CameraRecord, WireError> {
    let mut message: pb::FrameDetections = parse("FrameDetections", bytes)?;
    let account = message.account.take().map(|account| self::account(account, message.sequence)).transpose()?;
    Ok(CameraRecord {
        camera: field::camera_id(&message.camera)?,
        at: FrameAt {
            epoch: message.epoch,
            sequence: message.sequence,
            captured: Timestamp::from_micros(message.captured_us),
        },
        model: field::model(message.model.take())?,
        body: match account {
            account if message.away => signal_loss(&message, account.as_ref())?,
            Some(account) if account.sheds_own(message.sequence) => {
                RecordBody::AccountOnly(account_only(&message, account)?)
            }
            account => RecordBody::Processed(processed(message, account)?),
        },
    })
}

/// Checks that a signal loss has no fields of a frame.
fn signal_loss(message: &pb::FrameDetections, account: Option<&FrameAccount>) -> Result<RecordBody, WireError> {
    field::frame_size("frame", message.frame)?;
    let none = "a signal loss has no frame; omit it";
    let of_a_frame = [
        ("sequence", message.sequence > 0),
        ("detections", !message.detections.is_empty()),
        ("video", message.video.is_some()),
        ("latency", message.latency.is_some()),
        ("account", account.is_some()),
        ("picture", message.picture.is_some()),
    ];
    match of_a_frame.into_iter().find(|(_, is_there)| *is_there) {
        Some((field, _)) => Err(WireError::invalid(field, none)),
        None => Ok(RecordBody::SignalLoss(field::signal_loss_reason(message.away_reason))),
    }
}

/// A record that accounts for its own frame as not processed. Its quality, video, latency and picture are ignored: a checkpoint
/// contains them when the frame was dead-lettered after inference.
fn account_only(message: &pb::FrameDetections, account: FrameAccount) -> Result<AccountOnly, WireError> {
    if !message.detections.is_empty() {
        return Err(WireError::invalid("detections", "the frame is accounted for as not processed; omit them"));
    }
    let frame = field::frame_size("frame", message.frame)?;
    Ok(AccountOnly { account, frame: (frame != NO_FRAME).then_some(frame) })
}

fn processed(message: pb::FrameDetections, account: Option<FrameAccount>) -> Result<ProcessedFrame, WireError> {
    if message.detections.len() > MOST_DETECTIONS {
        let rule = format!("{} boxes in one frame; at most {MOST_DETECTIONS} are taken", message.detections.len());
        return Err(WireError::invalid("detections", rule));
    }
    Ok(ProcessedFrame {
        frame: field::frame_size("frame", message.frame)?,
        detections: message.detections.into_iter().map(detection).collect::<Result<_, _>>()?,
        quality: field::quality(message.quality),
        video: message.video.map(field::video_ref),
        latency: message.latency.map(latency),
        account,
        picture: message.picture.map(picture).transpose()?,
    })
}

fn pb_latency(latency: StageLatency) -> pb::frame_detections::StageLatency {
    pb::frame_detections::StageLatency {
        chunk_us: latency.chunk.as_micros(),
        decode_us: latency.decode.as_micros(),
        wait_us: latency.wait.as_micros(),
        inference_us: latency.inference.as_micros(),
    }
}

fn latency(message: pb::frame_detections::StageLatency) -> StageLatency {
    StageLatency {
        chunk: Span::from_micros(message.chunk_us),
        decode: Span::from_micros(message.decode_us),
        wait: Span::from_micros(message.wait_us),
        inference: Span::from_micros(message.inference_us),
    }
}

fn pb_picture(picture: &PictureStats) -> pb::frame_detections::PictureStats {
    pb::frame_detections::PictureStats {
        brightness: picture.brightness,
        contrast: picture.contrast,
        sharpness: picture.sharpness,
        change: picture.change,
        grid: Bytes::copy_from_slice(&picture.grid),
    }
}

fn picture(message: pb::frame_detections::PictureStats) -> Result<PictureStats, WireError> {
    let level = |field, value: f32| {
        let refused = || WireError::invalid(field, format!("{value} is not a valid brightness; it is 0 or more"));
        (value.is_finite() && value >= 0.0).then_some(value).ok_or_else(refused)
    };
    let fields = message.grid.len();
    let refused = |_| WireError::invalid("picture.grid", format!("{fields} fields; a grid has 32"));
    Ok(PictureStats {
        brightness: level("picture.brightness", message.brightness)?,
        contrast: level("picture.contrast", message.contrast)?,
        sharpness: level("picture.sharpness", message.sharpness)?,
        change: message.change.map(|change| level("picture.change", change)).transpose()?,
        grid: message.grid[..].try_into().map_err(refused)?,
    })
}

fn pb_account(account: &FrameAccount) -> pb::frame_detections::Account {
    let shed = account.shed.iter().map(|range| pb::frame_detections::ShedRange {
        first: range.first,
        count: range.count,
        reason: field::pb_shed_reason(range.reason),
    });
    pb::frame_detections::Account { previous: account.previous, shed: shed.collect() }
}

fn account(message: pb::frame_detections::Account, sequence: u64) -> Result<FrameAccount, WireError> {
    if message.previous.is_some_and(|previous| previous >= sequence) {
        return Err(WireError::invalid(
            "account.previous",
            format!("give a frame before the record's own, {sequence}"),
        ));
    }
    let mut next = message.previous.map_or(0, |previous| previous + 1);
    let mut shed = Vec::with_capacity(message.shed.len());
    for range in message.shed {
        let end = range.first.checked_add(range.count).filter(|_| range.count > 0);
        let Some(end) = end.filter(|end| range.first >= next && *end <= sequence.saturating_add(1)) else {
            let rule = format!(
                "{} frames from {}: give ranges that rise, hold a frame, and lie after the record before and not after {sequence}",
                range.count, range.first
            );
            return Err(WireError::invalid("account.shed", rule));
        };
        let reason = field::shed_reason("account.shed.reason", range.reason)?;
        shed.push(ShedRange { first: range.first, count: range.count, reason });
        next = end;
    }
    Ok(FrameAccount { previous: message.previous, shed })
}

fn pb_detection(detection: &Detection) -> pb::frame_detections::Detection {
    pb::frame_detections::Detection {
        class: i32::from(detection.class.number()),
        score: detection.score.get(),
        r#box: Some(field::pb_pixel_box(detection.bbox)),
    }
}

fn detection(message: pb::frame_detections::Detection) -> Result<Detection, WireError> {
    Ok(Detection {
        class: field::object_class("detections.class", message.class)?,
        score: field::score("detections.score", message.score)?,
        bbox: field::pixel_box("detections.box", message.r#box)?,
    })
}

#[cfg(test)]
mod tests;
