//! `[[metadata]]`: a topic with the detections of another producer, and values that its messages omit.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};
use vedette_core::{CameraId, FrameSize, Score, Timestamp, ValidationError, ValidationErrors, violations};
use vedette_interchange::{ClassNames, Format};
use vedette_topics::topics;

/// One entry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetadataSettings {
    /// The topic; its full name on Kafka, without `bus.kafka.prefix`. All records of a sensor must be in one partition, in capture
    /// order: the producer should use the sensor as key.
    pub topic: String,
    /// The format of its messages.
    pub format: Format,
    /// Camera by sensor name, from the message or else the record's key. Without this table sensor names are camera ids.
    #[serde(default)]
    pub cameras: BTreeMap<String, CameraId>,
    /// Size of the frames, if messages do not contain it.
    #[serde(default)]
    pub frame: Option<FrameSize>,
    /// The same for single cameras.
    #[serde(default)]
    pub frames: BTreeMap<CameraId, FrameSize>,
    /// The producer's class names.
    #[serde(default)]
    pub classes: ClassNames,
    /// Score of an object without a confidence. Producers that omit a confidence are assumed to send only detections they trust:
    /// the default starts a track and counts for a rule.
    #[serde(default = "believed")]
    pub missing_confidence: Score,
    /// Source of the capture time.
    #[serde(default)]
    pub time: TimeSource,
    /// The stream epoch: frames captured before are ignored, and earlier duplicates forgotten. Set it to now to start over, after
    /// the producer's clock was set back or when a camera's detections had another source until then.
    #[serde(default = "long_ago", deserialize_with = "moment")]
    pub since: Timestamp,
}

/// Source of the capture time of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeSource {
    /// From the message.
    #[default]
    Message,
    /// From the record's timestamp, in milliseconds: for producers that count from the start of their stream.
    Record,
}

impl MetadataSettings {
    /// The camera of a sensor.
    #[must_use]
    pub fn camera(&self, sensor: &str) -> Option<CameraId> {
        match self.cameras.is_empty() {
            true => CameraId::new(sensor).ok(),
            false => self.cameras.get(sensor).cloned(),
        }
    }

    /// The frame size of a camera, if messages do not contain it.
    #[must_use]
    pub fn frame_of(&self, camera: &CameraId) -> Option<FrameSize> {
        self.frames.get(camera).copied().or(self.frame)
    }
}

fn believed() -> Score {
    Score::new(0.75).unwrap_or_else(|_| unreachable!("it lies in 0 to 1"))
}

/// 2000-01-01T00:00:00Z
fn long_ago() -> Timestamp {
    Timestamp::from_micros(946_684_800_000_000)
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = String::deserialize(deserializer)?;
    let wrong = || de::Error::custom("write RFC 3339 with an offset, not before 2000, as in \"2026-03-01T08:00:00Z\"");
    text.parse().ok().filter(|moment| *moment >= long_ago()).ok_or_else(wrong)
}

impl MetadataSettings {
    /// Validation errors of the entry by itself; `prefix` is that of the product's topics on Kafka.
    #[must_use]
    pub fn mistakes(&self, prefix: &str) -> Vec<ValidationError> {
        let mut found = ValidationErrors::default();
        if let Some(rule) = wrong_topic(&self.topic, prefix) {
            found.add("topic", &self.topic, rule);
        }
        if self.frame.is_none() && !self.format.says_frame_size() {
            found.add("frame", "", MetadataRule::NoFrame { format: self.format.as_str().to_owned() });
        }
        for size in self.frames.values().chain(&self.frame) {
            let holds = [size.width, size.height].iter().all(|side| (1..=32_768).contains(side));
            found.check(holds, "frame", format!("{}x{}", size.width, size.height), MetadataRule::FrameSize);
        }
        let several = self.format == Format::Onvif && self.time == TimeSource::Record;
        found.check(!several, "time", "record", MetadataRule::OnvifTime);
        found.into_vec()
    }
}

fn wrong_topic(topic: &str, prefix: &str) -> Option<MetadataRule> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    // On Kafka the product's own topics have the prefix in `bus.kafka.prefix`.
    if topics::names().any(|name| name == topic || topic.strip_prefix(prefix) == Some(name)) {
        return Some(MetadataRule::OwnTopic);
    }
    if topic.is_empty() || topic.len() > 200 || topic.starts_with("__") || !topic.chars().all(allowed) {
        return Some(MetadataRule::TopicName);
    }
    None
}

violations! {
    pub(crate) enum MetadataRule {
        OwnTopic = "metadata.own-topic": "this is a topic of the product itself", "let the producer write to another one";
        TopicName = "metadata.topic-name":
            "a topic name has 1 to 200 letters, digits, `.`, `_`, `-`, and does not begin with `__`",
            "give the topic's name as the producer's broker has it";
        NoFrame { format: String } = "metadata.no-frame": "messages of {format} do not say how large the frame is",
            "give it, as in frame = {{ width = 1920, height = 1080 }}";
        FrameSize = "metadata.frame-size": "a side is outside 1 to 32768 pixels", "give the width and height of the producer's frames";
        OnvifTime = "metadata.onvif-time": "a message of onvif holds several frames, each with its time", "leave it out";
    }
}
