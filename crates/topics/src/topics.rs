//! The topics of the product. Message, key, layout, retention and bus of each are declared here once, in the list below; every
//! other list of topics is derived from [`ALL`].

mod message;

use std::marker::PhantomData;
use std::time::Duration;

use bytes::Bytes;
use vedette_access::AuditRow;
use vedette_bus::{BusError, Delivered, Delivery, Record, Retention, SharedBus, TopicSpec};
use vedette_core::{
    Alert, CameraNearMiss, CameraRecord, CameraVersion, Change, LateChange, PolicyVersion, Span, StreamSession,
    Timestamp,
};
use vedette_wire::{
    AddressBaseChange, AnalysisState, CameraSignal, DeadLetter, Heartbeat, VideoRecord, WireError, WorkerReport,
};

use crate::BusSettings;

pub use message::{CameraKey, EffectiveFrom, HeartbeatKey, Key, Message, PolicyKey};

topics! {
    /// Encoded video, and signal losses.
    pub static VIDEO: Topic<VideoRecord> =
        Topic::new(Definition { compress: false, ..Definition::by_camera("video", Keep::Video) });
    /// The newest stream session of each camera.
    pub static SESSIONS: Topic<StreamSession> =
        Topic::new(Definition::by_camera("sessions", Keep::Compacted(Duration::ZERO)));
    /// Signs of life of the stages that cameras depend on.
    pub static HEARTBEATS: Topic<Heartbeat> = Topic::new(Definition::single("heartbeats", Keep::Briefly));
    /// The cameras without signal.
    pub static SIGNALS: Topic<CameraSignal> =
        Topic::new(Definition::by_camera("signals", Keep::Compacted(Duration::ZERO)));
    /// The records of cameras: detections of every processed frame, frame accounting, and signal losses.
    pub static DETECTIONS: Topic<CameraRecord> = Topic::new(Definition::by_camera("detections", Keep::Detections));
    /// Alerts.
    pub static ALERTS: Topic<Alert> = Topic::new(Definition::by_camera("alerts", Keep::Alerts));
    /// Near-misses; kept as long as the detections they stem from.
    pub static NEAR_MISSES: Topic<CameraNearMiss> = Topic::new(Definition::by_camera("near-misses", Keep::Detections));
    /// Checkpoints of the analysis.
    pub static STATES: Topic<AnalysisState> =
        Topic::new(Definition::by_camera("states", Keep::Compacted(STATES_COMPACTED_AFTER)));
    /// The cameras, each with its versions.
    pub static CAMERAS: Topic<CameraVersion> = Topic::new(Definition::single("cameras", Keep::Compacted(Duration::ZERO)));
    /// The policies, each with its versions.
    pub static POLICIES: Topic<PolicyVersion> = Topic::new(Definition::single("policies", Keep::Compacted(Duration::ZERO)));
    /// Versions that take effect together: prepared, committed or aborted.
    pub static CHANGES: Topic<Change> = Topic::new(Definition::single("changes", Keep::Detections));
    /// Changes that a worker learnt of too late; kept as long as the detections they matter to.
    pub static LATE_CHANGES: Topic<LateChange> = Topic::new(Definition::single("late-changes", Keep::Detections));
    /// The workers that analyse, and their answers to changes.
    pub static WORKERS: Topic<WorkerReport> = Topic::new(Definition::single("workers", Keep::Briefly));
    /// The timeline of address bases.
    pub static ADDRESSES: Topic<AddressBaseChange> =
        Topic::new(Definition::single("addresses", Keep::Compacted(Duration::ZERO)));
    /// The audit log, for systems that keep it where the store's administrator cannot change it.
    pub static AUDIT: Topic<AuditRow> = Topic::new(Definition::single("audit", Keep::Audit));
    /// Unusable records. A dead letter holds a whole record and its origin, or only refers to the record.
    pub static DEAD_LETTERS: Topic<DeadLetter> = Topic::new(Definition {
        max_record_bytes: 2 * MAX_RECORD_BYTES,
        ..Definition::single("dead-letters", Keep::DeadLetters)
    });
}

/// Most picture bytes in a chunk; with its index it stays under Kafka's default limit of 1 MB.
pub const MAX_CHUNK_BYTES: usize = 900_000;
const MAX_RECORD_BYTES: u32 = 1_000_000;
/// Compaction lag: keeps an overwritten checkpoint long enough for the camera's next owner to recover from a zombie member's
/// stale write.
const STATES_COMPACTED_AFTER: Duration = Duration::from_secs(120);

/// What is kept briefly is only of use when it is new.
const BRIEFLY: Duration = Duration::from_secs(600);

/// Partitioning of a topic's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// By camera, over `bus.partitions`.
    ByCamera,
    /// All in one partition.
    Single,
}

/// Retention of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// For `bus.keep_video`, and at most `bus.keep_video_bytes`.
    Video,
    /// For `bus.keep_detections`.
    Detections,
    /// For `bus.keep_alerts`.
    Alerts,
    /// For `bus.keep_audit`.
    Audit,
    /// For `bus.keep_dead_letters`, and at most `bus.keep_dead_letters_bytes`.
    DeadLetters,
    /// For ten minutes.
    Briefly,
    /// The last record of each key; an overwritten one stays for the given time.
    Compacted(Duration),
}

/// The bus that carries a topic. All use the same one today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// The bus of `[bus]`.
    Site,
}

/// The definition of a topic, independent of its message type.
#[derive(Debug, Clone, Copy)]
pub struct Definition {
    /// Name, without the prefix an adapter may add.
    pub name: &'static str,
    /// Partitions.
    pub layout: Layout,
    /// Retention.
    pub keep: Keep,
    /// Whether values are worth compressing.
    pub compress: bool,
    /// Largest record, key and headers included.
    pub max_record_bytes: u32,
    /// The bus that carries it.
    pub carrier: Carrier,
}

impl Definition {
    const fn by_camera(name: &'static str, keep: Keep) -> Self {
        let (layout, carrier) = (Layout::ByCamera, Carrier::Site);
        Self { name, layout, keep, compress: true, max_record_bytes: MAX_RECORD_BYTES, carrier }
    }

    const fn single(name: &'static str, keep: Keep) -> Self {
        Self { layout: Layout::Single, ..Self::by_camera(name, keep) }
    }

    fn spec(&self, settings: &BusSettings) -> TopicSpec {
        let delete = |age: Span, bytes| Retention::Delete { age: age.to_std(), bytes };
        let (retention, compact_after) = match self.keep {
            Keep::Video => (delete(settings.keep_video, Some(settings.keep_video_bytes)), Duration::ZERO),
            Keep::Detections => (delete(settings.keep_detections, None), Duration::ZERO),
            Keep::Alerts => (delete(settings.keep_alerts, None), Duration::ZERO),
            Keep::Audit => (delete(settings.keep_audit, None), Duration::ZERO),
            Keep::Briefly => (Retention::Delete { age: BRIEFLY, bytes: None }, Duration::ZERO),
            Keep::DeadLetters => {
                (delete(settings.keep_dead_letters, Some(settings.keep_dead_letters_bytes)), Duration::ZERO)
            }
            Keep::Compacted(lag) => (Retention::Compact, lag),
        };
        TopicSpec {
            name: self.name.to_owned(),
            partitions: match self.layout {
                Layout::ByCamera => settings.partitions,
                Layout::Single => 1,
            },
            retention,
            compact_after,
            max_record_bytes: self.max_record_bytes,
            compress: self.compress,
        }
    }
}

/// A topic whose records hold messages of type `M`.
#[derive(Debug)]
pub struct Topic<M> {
    definition: Definition,
    message: PhantomData<fn() -> M>,
}

impl<M> Topic<M> {
    const fn new(definition: Definition) -> Self {
        Self { definition, message: PhantomData }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.definition.name
    }
}

impl<M: Message> Topic<M> {
    /// The record of a message; `at` is its capture time where it has one, else the time of writing.
    #[must_use]
    pub fn record(&self, message: &M, at: Timestamp) -> Record {
        Record {
            key: message.key().to_bytes(),
            value: Some(message.encode()),
            headers: message.headers(),
            timestamp_ms: at.as_millis(),
        }
    }

    /// Sends a message; it is durable when the delivery resolves.
    ///
    /// # Errors
    /// When the bus refuses.
    pub async fn send(&self, bus: &SharedBus, message: &M, at: Timestamp) -> Result<Delivery, BusError> {
        bus.send(self.name(), self.record(message, at)).await
    }

    /// Sends the deletion of a key.
    ///
    /// # Errors
    /// When the bus refuses.
    pub async fn delete(&self, bus: &SharedBus, key: &M::Key, at: Timestamp) -> Result<Delivery, BusError> {
        let record = Record { key: key.to_bytes(), value: None, headers: Vec::new(), timestamp_ms: at.as_millis() };
        bus.send(self.name(), record).await
    }

    /// Decodes the message of a record.
    ///
    /// # Errors
    /// When the value is missing, is not a message of the topic, or breaks a rule.
    pub fn read(&self, record: &Delivered) -> Result<M, WireError> {
        self.decode(record.record.value.clone())
    }

    /// Decodes a record's value.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn decode(&self, value: Option<Bytes>) -> Result<M, WireError> {
        M::decode(value.unwrap_or_default())
    }
}

/// Every topic as configured by `settings`.
#[must_use]
pub fn specs(settings: &BusSettings) -> Vec<TopicSpec> {
    ALL.iter().map(|topic| topic.spec(settings)).collect()
}

/// The names of the product's topics.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|topic| topic.name)
}

/// Creates the missing topics of other producers; an existing one is used as it is.
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

/// Makes the topics, and the list of them.
macro_rules! topics {
    ($($(#[$doc:meta])* pub static $NAME:ident: Topic<$Message:ty> = $topic:expr;)+) => {
        $(
            $(#[$doc])*
            pub static $NAME: Topic<$Message> = $topic;
        )+

        /// Every topic of the product.
        pub static ALL: &[&Definition] = &[$(&$NAME.definition),+];
    };
}
use topics;
