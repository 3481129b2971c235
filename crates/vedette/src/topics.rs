//! The topics of the product: names, partitions, what each keeps.

use std::time::Duration;

use vedette_bus::{BusError, Retention, SharedBus, TopicSpec};
use vedette_core::Span;

use crate::config::BusSettings;

/// Encoded video, keyed by camera.
pub const VIDEO: &str = "video";
/// Detections of every frame, keyed by camera.
pub const DETECTIONS: &str = "detections";
/// Alerts, keyed by camera.
pub const ALERTS: &str = "alerts";
/// What almost was an alert, keyed by camera; kept as long as the detections it came of.
pub const NEAR_MISSES: &str = "near-misses";
/// The registry of cameras, compacted.
pub const CAMERAS: &str = "cameras";
/// The policies, compacted.
pub const POLICIES: &str = "policies";
/// The timeline of address bases, compacted.
pub const ADDRESSES: &str = "addresses";
/// Analysis states, keyed by camera, compacted.
pub const STATES: &str = "states";
/// Records that could not be used, keyed by their topic.
pub const DEAD_LETTERS: &str = "dead-letters";

/// Most bytes of a chunk's pictures; with its index it stays under Kafka's default limit of 1 MB.
pub const MAX_CHUNK_BYTES: usize = 900_000;
const MAX_RECORD_BYTES: u32 = 1_000_000;
/// Compaction lag: keeps an overwritten checkpoint long enough for the camera's next owner to recover from a zombie member's
/// stale write.
const STATES_COMPACTED_AFTER: Duration = Duration::from_secs(120);

/// How the records of a topic are spread over its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// By camera, over `bus.partitions`.
    ByCamera,
    /// All in one partition.
    One,
}

/// How long a topic keeps its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// For `bus.keep_video`, and at most `bus.keep_video_bytes`.
    Video,
    /// For `bus.keep_detections`.
    Detections,
    /// For `bus.keep_alerts`.
    Alerts,
    /// For `bus.keep_dead_letters`.
    DeadLetters,
    /// The last record of each key; one that was overwritten stays for the given time.
    Compacted(Duration),
}

/// A topic of the product.
#[derive(Debug, Clone, Copy)]
struct Topic {
    name: &'static str,
    layout: Layout,
    keep: Keep,
    compress: bool,
    max_record_bytes: u32,
}

impl Topic {
    const fn new(name: &'static str, layout: Layout, keep: Keep) -> Self {
        Self { name, layout, keep, compress: true, max_record_bytes: MAX_RECORD_BYTES }
    }

    fn spec(&self, settings: &BusSettings) -> TopicSpec {
        let delete = |age: Span, bytes| Retention::Delete { age: age.to_std(), bytes };
        let (retention, compact_after) = match self.keep {
            Keep::Video => (delete(settings.keep_video, Some(settings.keep_video_bytes)), Duration::ZERO),
            Keep::Detections => (delete(settings.keep_detections, None), Duration::ZERO),
            Keep::Alerts => (delete(settings.keep_alerts, None), Duration::ZERO),
            Keep::DeadLetters => (delete(settings.keep_dead_letters, None), Duration::ZERO),
            Keep::Compacted(lag) => (Retention::Compact, lag),
        };
        TopicSpec {
            name: self.name.to_owned(),
            partitions: match self.layout {
                Layout::ByCamera => settings.partitions,
                Layout::One => 1,
            },
            retention,
            compact_after,
            max_record_bytes: self.max_record_bytes,
            compress: self.compress,
        }
    }
}

/// Every topic of the product: the one list from which all others come.
const ALL: [Topic; 9] = [
    Topic { compress: false, ..Topic::new(VIDEO, Layout::ByCamera, Keep::Video) },
    Topic::new(DETECTIONS, Layout::ByCamera, Keep::Detections),
    Topic::new(ALERTS, Layout::ByCamera, Keep::Alerts),
    Topic::new(NEAR_MISSES, Layout::ByCamera, Keep::Detections),
    Topic::new(STATES, Layout::ByCamera, Keep::Compacted(STATES_COMPACTED_AFTER)),
    Topic::new(CAMERAS, Layout::One, Keep::Compacted(Duration::ZERO)),
    Topic::new(POLICIES, Layout::One, Keep::Compacted(Duration::ZERO)),
    Topic::new(ADDRESSES, Layout::One, Keep::Compacted(Duration::ZERO)),
    // A dead letter holds a whole record and its origin.
    Topic { max_record_bytes: 2 * MAX_RECORD_BYTES, ..Topic::new(DEAD_LETTERS, Layout::One, Keep::DeadLetters) },
];

/// Every topic as `settings` wants it.
#[must_use]
pub fn specs(settings: &BusSettings) -> Vec<TopicSpec> {
    ALL.iter().map(|topic| topic.spec(settings)).collect()
}

/// The names of the product's topics.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|topic| topic.name)
}

/// Makes the topics of other producers that nobody has made yet; one that is there is taken as it is.
///
/// # Errors
/// When the bus refuses.
pub async fn ensure_foreign(bus: &SharedBus, settings: &BusSettings) -> Result<(), BusError> {
    for name in &settings.foreign_topics {
        match bus.watermarks(name).await {
            Err(BusError::UnknownTopic(_)) => {
                let retention = Retention::Delete { age: settings.keep_detections.to_std(), bytes: None };
                let (partitions, max_record_bytes) = (settings.partitions, MAX_RECORD_BYTES);
                let spec = TopicSpec {
                    name: name.clone(),
                    partitions,
                    retention,
                    compact_after: Duration::ZERO,
                    max_record_bytes,
                    compress: true,
                };
                bus.ensure_topics(&[spec]).await?;
            }
            outcome => drop(outcome?),
        }
    }
    Ok(())
}
