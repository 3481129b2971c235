//! Converts one record of another producer to our frames: a pure function of the record and its configuration entry, so that
//! that the same record always yields the same frames, and `analyse` recognises duplicates.
//!
//! A frame's epoch is the entry's `since`, its sequence its capture time in microseconds: two frames of a camera with one
//! capture time are one frame.

use std::panic::{AssertUnwindSafe, catch_unwind};

use vedette_bus::Delivered;
use vedette_core::{CameraId, CameraRecord, FrameAt, ModelRef, ProcessedFrame, RecordBody, Span, Timestamp};
use vedette_interchange::{ForeignFrame, LeftOut, ReadError, Terms, read};
use vedette_topics::dead_letters::Refusal;
use vedette_wire::DeadLetterReason;

use super::settings::{MetadataSettings, TimeSource};

/// Most that a capture time may lie after the record's timestamp. One frame from far ahead would make all later ones look like
/// duplicates.
const MOST_AHEAD: Span = Span::from_secs(60);

/// The result of a record.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Converted {
    /// Processed frames in the order of the message.
    pub frames: Vec<CameraRecord>,
    /// Frames captured before the entry's `since`.
    pub too_old: u64,
    /// Objects ignored or changed in the conversion.
    pub left_out: LeftOut,
}

impl Converted {
    /// The camera of its frames; none when there are several.
    pub(super) fn camera(&self) -> Option<&CameraId> {
        let camera = &self.frames.first()?.camera;
        self.frames.iter().all(|frame| frame.camera == *camera).then_some(camera)
    }
}

fn refusal(error: &ReadError) -> Refusal {
    let reason = match error {
        ReadError::Unparsable { .. } => DeadLetterReason::Unparsable,
        ReadError::Invalid { .. } => DeadLetterReason::Invalid,
    };
    Refusal { reason, detail: error.to_string() }
}

/// Converts `record` according to `entry`. It is accepted whole or not at all.
pub fn convert(record: &Delivered, entry: &MetadataSettings) -> Result<Converted, Refusal> {
    let panicked = |_| Refusal {
        reason: DeadLetterReason::Panic,
        detail: format!("reading it as {} panicked", entry.format.as_str()),
    };
    catch_unwind(AssertUnwindSafe(|| convert_unguarded(record, entry))).unwrap_or_else(|panic| Err(panicked(panic)))
}

fn convert_unguarded(record: &Delivered, entry: &MetadataSettings) -> Result<Converted, Refusal> {
    let bytes = record.record.value.as_deref().unwrap_or_default();
    let messages = read(entry.format, bytes).map_err(|error| refusal(&error))?;
    if entry.time == TimeSource::Record && messages.len() > 1 {
        let rule = format!("{} frames in one message; with time = \"record\" they would have one time", messages.len());
        return Err(Refusal::invalid(rule));
    }
    let mut converted = Converted::default();
    for message in &messages {
        let camera = camera(message, record, entry)?;
        let terms = Terms {
            frame: entry.frame_of(&camera),
            captured: record_time(record, entry)?,
            classes: entry.classes.clone(),
            missing_confidence: entry.missing_confidence,
        };
        let imported = message.import(&terms).map_err(|error| refusal(&error))?;
        check_ahead(imported.captured, record)?;
        if imported.captured < entry.since {
            converted.too_old += 1;
            continue;
        }
        let left_out = &mut converted.left_out;
        left_out.unknown_class += imported.left_out.unknown_class;
        left_out.identifying += imported.left_out.identifying;
        left_out.no_area += imported.left_out.no_area;
        let (epoch, sequence) = (number(entry.since), number(imported.captured));
        let frame = ProcessedFrame { detections: imported.detections, ..ProcessedFrame::empty(imported.frame) };
        converted.frames.push(CameraRecord {
            camera,
            at: FrameAt { epoch, sequence, captured: imported.captured },
            model: ModelRef { name: entry.format.as_str().to_owned(), version: message.version.clone() },
            body: RecordBody::Processed(frame),
        });
    }
    Ok(converted)
}

/// Both times that are converted to numbers are after 1970.
fn number(time: Timestamp) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(0)
}

/// The camera by the message's sensor name, else by the record's key.
fn camera(message: &ForeignFrame, record: &Delivered, entry: &MetadataSettings) -> Result<CameraId, Refusal> {
    let key = String::from_utf8_lossy(&record.record.key);
    let said = message.sensor.as_deref();
    if let Some(camera) = said.into_iter().chain([&*key]).find_map(|sensor| entry.camera(sensor)) {
        return Ok(camera);
    }
    let sensor = said.map_or_else(String::new, |said| format!("sensor `{said}` or "));
    let detail = format!(
        "no camera is meant by {sensor}key `{}`; name it in `cameras` of the [[metadata]] entry of topic `{}`",
        key.chars().take(80).collect::<String>(),
        entry.topic
    );
    Err(Refusal { reason: DeadLetterReason::UnknownCamera, detail })
}

fn record_time(record: &Delivered, entry: &MetadataSettings) -> Result<Option<Timestamp>, Refusal> {
    match entry.time {
        TimeSource::Message => Ok(None),
        TimeSource::Record if record.record.timestamp_ms > 0 => {
            Ok(Some(Timestamp::from_micros(record.record.timestamp_ms.saturating_mul(1_000))))
        }
        TimeSource::Record => Err(Refusal::invalid("the record has no timestamp to take as capture time".into())),
    }
}

fn check_ahead(captured: Timestamp, record: &Delivered) -> Result<(), Refusal> {
    let written = record.record.timestamp_ms;
    if written <= 0 {
        return Ok(());
    }
    let written = Timestamp::from_micros(written.saturating_mul(1_000));
    if captured.since(written) <= MOST_AHEAD {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "captured {captured}, more than {MOST_AHEAD} after its record was written ({written}); set the producer's clock"
    )))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use bytes::Bytes;
    use vedette_bus::{Position, Record};

    use super::*;

    const AT_MS: i64 = 1_767_225_600_250;

    fn entry(more: &str) -> MetadataSettings {
        let text = format!("topic = \"dls\"\nformat = \"dlstreamer\"\ncameras = {{ east = \"gate\" }}\n{more}");
        toml::from_str(&text).unwrap()
    }

    fn record(key: &'static str, source: &str, captured_ms: i64, written_ms: i64) -> Delivered {
        let nanos = captured_ms * 1_000_000;
        let value = format!(
            "{{\"objects\":[],\"source\":\"{source}\",\"timestamp\":{nanos},\"resolution\":{{\"width\":64,\"height\":48}}}}"
        );
        let position = Position { topic: "dls".into(), partition: 0, offset: 7 };
        let key = Bytes::from_static(key.as_bytes());
        Delivered {
            position,
            record: Record { key, value: Some(value.into()), headers: Vec::new(), timestamp_ms: written_ms },
        }
    }

    #[test]
    fn a_frame_is_numbered_by_its_capture_time() {
        let converted = convert(&record("k", "east", AT_MS, AT_MS + 40), &entry("")).unwrap();
        let frame = &converted.frames[0];
        assert_eq!((frame.camera.as_str(), frame.at.sequence), ("gate", AT_MS as u64 * 1_000));
        // The same record elsewhere in the log, or written again, is the same frame.
        assert_eq!(convert(&record("k", "east", AT_MS, AT_MS + 900), &entry("")).unwrap(), converted);
        let anew = convert(&record("k", "east", AT_MS, AT_MS), &entry("since = \"2026-01-01T00:00:00Z\"")).unwrap();
        assert!(anew.frames[0].at.epoch > frame.at.epoch);
    }

    #[test]
    fn the_key_names_the_camera_where_the_message_does_not() {
        assert_eq!(convert(&record("east", "file:///a", AT_MS, AT_MS), &entry("")).unwrap().frames.len(), 1);
        let refusal = convert(&record("west", "file:///a", AT_MS, AT_MS), &entry("")).unwrap_err();
        assert_eq!(refusal.reason, DeadLetterReason::UnknownCamera);
        assert!(refusal.detail.contains("west") && refusal.detail.contains("[[metadata]]"), "{}", refusal.detail);
        let open: MetadataSettings = toml::from_str("topic = \"dls\"\nformat = \"dlstreamer\"").unwrap();
        assert_eq!(
            convert(&record("west", "file:///a", AT_MS, AT_MS), &open).unwrap().frames[0].camera.as_str(),
            "west"
        );
    }

    #[test]
    fn a_clock_from_the_future_is_refused_and_the_past_is_counted() {
        let refusal = convert(&record("k", "east", AT_MS + 61_000, AT_MS), &entry("")).unwrap_err();
        assert_eq!(refusal.reason, DeadLetterReason::Invalid);
        assert!(refusal.detail.contains("clock"), "{}", refusal.detail);
        let old = convert(&record("k", "east", AT_MS, AT_MS), &entry("since = \"2026-01-02T00:00:00Z\"")).unwrap();
        assert_eq!((old.frames.len(), old.too_old), (0, 1));
    }

    #[test]
    fn a_count_from_the_streams_start_needs_the_records_time() {
        let counting = record("k", "east", 49_250, AT_MS);
        assert!(convert(&counting, &entry("")).unwrap_err().detail.contains("time = \"record\""));
        let converted = convert(&counting, &entry("time = \"record\"")).unwrap();
        assert_eq!(converted.frames[0].at.captured.as_millis(), AT_MS);
        let timeless = record("k", "east", 49_250, 0);
        assert!(convert(&timeless, &entry("time = \"record\"")).unwrap_err().detail.contains("no timestamp"));
    }

    #[test]
    fn a_record_without_value_is_refused() {
        let mut empty = record("k", "east", AT_MS, AT_MS);
        empty.record.value = None;
        assert_eq!(convert(&empty, &entry("")).unwrap_err().reason, DeadLetterReason::Unparsable);
    }
}
