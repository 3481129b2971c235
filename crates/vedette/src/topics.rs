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
/// A worker that was thought dead may write an old state over a newer one; so long the newer one is there to be found by whoever
/// owns the camera next.
const STATES_COMPACTED_AFTER: Duration = Duration::from_secs(120);

/// Every topic as `settings` wants it.
#[must_use]
pub fn specs(settings: &BusSettings) -> Vec<TopicSpec> {
    let keyed = |name: &str, retention, compress| TopicSpec {
        name: name.to_owned(),
        partitions: settings.partitions,
        retention,
        compact_after: Duration::ZERO,
        max_record_bytes: MAX_RECORD_BYTES,
        compress,
    };
    let keep = |age: Span, bytes| Retention::Delete { age: age.to_std(), bytes };
    let mut specs = vec![
        keyed(VIDEO, keep(settings.keep_video, Some(settings.keep_video_bytes)), false),
        keyed(DETECTIONS, keep(settings.keep_detections, None), true),
        keyed(ALERTS, keep(settings.keep_alerts, None), true),
        keyed(NEAR_MISSES, keep(settings.keep_detections, None), true),
        TopicSpec { compact_after: STATES_COMPACTED_AFTER, ..keyed(STATES, Retention::Compact, true) },
    ];
    // A dead letter holds a whole record and its origin.
    let dead = TopicSpec {
        max_record_bytes: 2 * MAX_RECORD_BYTES,
        ..keyed(DEAD_LETTERS, keep(settings.keep_dead_letters, None), true)
    };
    let compacted = [CAMERAS, POLICIES, ADDRESSES].map(|name| keyed(name, Retention::Compact, true));
    for spec in compacted.into_iter().chain([dead]) {
        specs.push(TopicSpec { partitions: 1, ..spec });
    }
    specs
}

/// Every topic of the product, by name.
pub(crate) const OURS: [&str; 8] = [VIDEO, DETECTIONS, ALERTS, CAMERAS, POLICIES, ADDRESSES, STATES, DEAD_LETTERS];

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
