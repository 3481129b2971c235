//! A camera's record as a line of JSON, as written by `export` and read by `replay`.

use serde::{Deserialize, Serialize};
use vedette_core::{
    AccountOnly, CameraId, CameraRecord, Detection, FrameAccount, FrameAt, FrameSize, ModelRef, PictureStats,
    ProcessedFrame, Quality, RecordBody, SignalLossReason, StageLatency, Timestamp, VideoRef,
};

/// A line is not a valid record.
#[derive(Debug, thiserror::Error)]
pub enum RecordLineError {
    /// It is not the JSON of a record.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// A signal-loss record has fields of a frame.
    #[error("with `away` there is no frame; omit the fields of a frame")]
    SignalLossWithFrame,
    /// Detections of a frame that its own accounting sheds.
    #[error("the frame is accounted for as not processed; omit its detections")]
    ShedWithDetections,
}

/// Placeholder frame size where there is no frame: the field is mandatory.
const NO_FRAME: FrameSize = FrameSize { width: 1, height: 1 };

/// The fields of every kind of record. A record whose accounting ends with its own frame only accounts for frames.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    camera: CameraId,
    epoch: u64,
    sequence: u64,
    captured: Timestamp,
    frame: FrameSize,
    detections: Vec<Detection>,
    model: ModelRef,
    #[serde(default)]
    quality: Quality,
    #[serde(default)]
    video: Option<VideoRef>,
    #[serde(default)]
    latency: Option<StageLatency>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<FrameAccount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    picture: Option<PictureStats>,
    /// The record is a signal loss.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    away: bool,
    /// Why, of a signal loss; absent from records of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<SignalLossReason>,
}

/// Writes a record, without the line break.
///
/// # Errors
/// When it cannot be written as JSON.
pub fn to_line(record: &CameraRecord) -> serde_json::Result<String> {
    serde_json::to_string(&Line::from(record.clone()))
}

/// Reads a record.
///
/// # Errors
/// When the line is not a valid record, or contradicts itself.
pub fn from_line(line: &str) -> Result<CameraRecord, RecordLineError> {
    serde_json::from_str::<Line>(line)?.try_into()
}

impl From<CameraRecord> for Line {
    fn from(record: CameraRecord) -> Self {
        let CameraRecord { camera, at: FrameAt { epoch, sequence, captured }, model, body } = record;
        let (away, reason) = match &body {
            RecordBody::SignalLoss(reason) => {
                (true, Some(*reason).filter(|reason| *reason != SignalLossReason::Unknown))
            }
            RecordBody::Processed(_) | RecordBody::AccountOnly(_) => (false, None),
        };
        let ProcessedFrame { frame, detections, quality, video, latency, account, picture } = match body {
            RecordBody::Processed(frame) => frame,
            RecordBody::AccountOnly(AccountOnly { account, frame }) => {
                ProcessedFrame { account: Some(account), ..ProcessedFrame::empty(frame.unwrap_or(NO_FRAME)) }
            }
            RecordBody::SignalLoss(_) => ProcessedFrame::empty(NO_FRAME),
        };
        Self {
            camera,
            epoch,
            sequence,
            captured,
            frame,
            detections,
            model,
            quality,
            video,
            latency,
            account,
            picture,
            away,
            reason,
        }
    }
}

impl TryFrom<Line> for CameraRecord {
    type Error = RecordLineError;

    fn try_from(line: Line) -> Result<Self, RecordLineError> {
        let Line {
            camera,
            epoch,
            sequence,
            captured,
            frame,
            detections,
            model,
            quality,
            video,
            latency,
            account,
            picture,
            away,
            reason,
        } = line;
        let body = match account {
            account if away => {
                let is_of_frame = sequence > 0
                    || !detections.is_empty()
                    || [video.is_some(), latency.is_some(), account.is_some(), picture.is_some()].contains(&true);
                if is_of_frame {
                    return Err(RecordLineError::SignalLossWithFrame);
                }
                RecordBody::SignalLoss(reason.unwrap_or(SignalLossReason::Unknown))
            }
            Some(account) if account.sheds_own(sequence) => {
                if !detections.is_empty() {
                    return Err(RecordLineError::ShedWithDetections);
                }
                RecordBody::AccountOnly(AccountOnly { account, frame: (frame != NO_FRAME).then_some(frame) })
            }
            account => {
                RecordBody::Processed(ProcessedFrame { frame, detections, quality, video, latency, account, picture })
            }
        };
        Ok(Self { camera, at: FrameAt { epoch, sequence, captured }, model, body })
    }
}

#[cfg(test)]
mod tests {
    use vedette_core::{ShedRange, ShedReason};

    use super::*;

    const HEAD: &str = r#"{"camera":"gate","epoch":7,"#;
    const MODEL: &str = r#""model":{"name":"m","version":"1"}"#;
    const REST: &str = r#""quality":{"clock_drift":false,"degraded":false,"corrupt":false,"shed_frames":0},"video":null,"latency":null"#;

    fn processed() -> String {
        let detections = r#"[{"class":"person","score":0.75,"bbox":{"x":1.5,"y":2.0,"width":3.0,"height":4.0}}]"#;
        format!(
            "{HEAD}\"sequence\":9,\"captured\":5,\"frame\":{{\"width\":64,\"height\":48}},\"detections\":{detections},{MODEL},{REST}}}"
        )
    }

    fn account_only() -> String {
        let account = r#""account":{"previous":3,"shed":[{"first":4,"count":3,"reason":"overload"}]}"#;
        format!(
            "{HEAD}\"sequence\":6,\"captured\":5,\"frame\":{{\"width\":64,\"height\":48}},\"detections\":[],{MODEL},{REST},{account}}}"
        )
    }

    fn signal_loss() -> String {
        format!(
            "{HEAD}\"sequence\":0,\"captured\":5,\"frame\":{{\"width\":1,\"height\":1}},\"detections\":[],{MODEL},{REST},\"away\":true}}"
        )
    }

    #[test]
    fn every_kind_of_record_has_the_line_it_always_had() {
        let read = [processed(), account_only(), signal_loss()].map(|line| {
            let record = from_line(&line).unwrap();
            assert_eq!(to_line(&record).unwrap(), line);
            record.body
        });
        let shed = vec![ShedRange { first: 4, count: 3, reason: ShedReason::Overload }];
        let only = AccountOnly {
            account: FrameAccount { previous: Some(3), shed },
            frame: Some(FrameSize { width: 64, height: 48 }),
        };
        assert!(matches!(&read[0], RecordBody::Processed(frame) if frame.detections.len() == 1), "{read:?}");
        assert_eq!(read[1..], [RecordBody::AccountOnly(only), RecordBody::SignalLoss(SignalLossReason::Unknown)]);
    }

    #[test]
    fn what_may_be_left_out_is_taken_as_nothing() {
        let short = processed().replace(&format!(",{REST}"), "");
        assert_eq!(from_line(&short).unwrap(), from_line(&processed()).unwrap());
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let own_shed = processed().replace(
            REST,
            &format!("{REST},\"account\":{{\"shed\":[{{\"first\":9,\"count\":1,\"reason\":\"late\"}}]}}"),
        );
        let lost_frame = processed().replace(REST, &format!("{REST},\"away\":true"));
        for line in [own_shed, lost_frame, signal_loss().replace("\"sequence\":0", "\"sequence\":1")] {
            assert!(from_line(&line).unwrap_err().to_string().contains("omit"), "{line}");
        }
    }
}
