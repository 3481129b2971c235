use tracing::{Span, field};
use vedette_bus::Delivered;
use vedette_core::CameraId;

/// The span in which a record is processed: every log line about it carries its topic, partition and offset, and its camera, if
/// `camera` knows it. It has the highest level, since warnings must carry them whatever the log shows. With the default log it
/// costs less than a microsecond a record.
pub(crate) fn of_record(record: &Delivered, camera: impl FnOnce() -> Option<CameraId>) -> Span {
    let position = &record.position;
    tracing::error_span!(
        "record",
        topic = %position.topic,
        partition = position.partition,
        offset = position.offset,
        camera = camera().map(field::display)
    )
}

/// The camera in the key of a record on one of our topics; none when it is about something else.
pub(crate) fn camera_of(record: &Delivered) -> Option<CameraId> {
    CameraId::new(std::str::from_utf8(&record.record.key).ok()?).ok()
}
