//! `[[metadata]]`: a topic with the detections of another producer, and what its messages do not say.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, de};
use vedette_core::{CameraId, FrameSize, Score, Timestamp};
use vedette_interchange::{ClassNames, Format};
use vedette_topics::topics;

use super::location::related;
use super::{Known, Mistake};

/// One entry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetadataSettings {
    /// The topic; on Kafka by its own name, without `bus.kafka.prefix`. All records of a sensor must lie in one partition, in
    /// the order of capture: let the producer use the sensor as key.
    pub topic: String,
    /// How its messages are written.
    pub format: Format,
    /// Which camera a sensor is, by the name that the message gives it, or else by the record's key. Without this table
    /// those names are camera ids.
    #[serde(default)]
    pub cameras: BTreeMap<String, CameraId>,
    /// Size of the frames, where messages do not say it.
    #[serde(default)]
    pub frame: Option<FrameSize>,
    /// The same for single cameras.
    #[serde(default)]
    pub frames: BTreeMap<CameraId, FrameSize>,
    /// The producer's own names of classes.
    #[serde(default)]
    pub classes: ClassNames,
    /// Score of an object whose producer does not say how sure it is. Who says nothing sends what it believes: the default
    /// starts a track and counts for a rule.
    #[serde(default = "believed")]
    pub missing_confidence: Score,
    /// Where the capture time comes from.
    #[serde(default)]
    pub time: TimeSource,
    /// What was captured before is not taken, and what was seen before it is forgotten: the stream epoch. Set it to now to
    /// begin anew, after the producer's clock was set back or when a camera's detections came from elsewhere until then.
    #[serde(default = "long_ago", deserialize_with = "moment")]
    pub since: Timestamp,
}

/// Where the capture time of a frame comes from.
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
    /// The camera that a sensor is.
    #[must_use]
    pub fn camera(&self, sensor: &str) -> Option<CameraId> {
        match self.cameras.is_empty() {
            true => CameraId::new(sensor).ok(),
            false => self.cameras.get(sensor).cloned(),
        }
    }

    /// The frame size of a camera, where messages do not say it.
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

/// Checks all entries against each other and against the cameras. `unread` are the paths that could not be read: what is said of
/// them is a consequence.
pub(super) fn check(
    file: &str,
    entries: &[MetadataSettings],
    prefix: &str,
    cameras: &Known,
    unread: &[String],
    mistakes: &mut Vec<Mistake>,
) {
    let (mut seen, mut mapped) = (BTreeSet::new(), BTreeSet::new());
    for (index, entry) in entries.iter().enumerate() {
        let at = format!("metadata[{index}] ({})", entry.topic);
        let is_unread = |field: &str| unread.iter().any(|path| related(path, &format!("{at}.{field}")));
        let mut add = |field: &str, value: &str, rule: &str, fix: &str| {
            if is_unread(field) || (is_unread("format") && matches!(field, "frame" | "time")) {
                return;
            }
            mistakes.push(Mistake {
                file: file.to_owned(),
                path: format!("{at}.{field}"),
                value: value.to_owned(),
                rule: rule.to_owned(),
                fix: fix.to_owned(),
            });
        };
        if let Some((rule, fix)) = wrong_topic(&entry.topic, prefix, &mut seen) {
            add("topic", &entry.topic, rule, fix);
        }
        if entry.frame.is_none() && !entry.format.says_frame_size() {
            let rule = format!("messages of {} do not say how large the frame is", entry.format.as_str());
            add("frame", "", &rule, "give it, as in frame = { width = 1920, height = 1080 }");
        }
        for size in entry.frames.values().chain(&entry.frame) {
            if ![size.width, size.height].iter().all(|side| (1..=32_768).contains(side)) {
                add("frame", &format!("{}x{}", size.width, size.height), "each side is 1 to 32768 pixels", "");
            }
        }
        if entry.format == Format::Onvif && entry.time == TimeSource::Record {
            add("time", "record", "a message of onvif holds several frames, each with its time", "leave it out");
        }
        for (sensor, camera) in &entry.cameras {
            let field = format!("cameras.{sensor}");
            if !cameras.may_have(camera) {
                add(&field, camera.as_str(), "no camera has this id", "add it to the camera file, without a source");
            } else if cameras.with_source(camera) {
                let rule = "this camera's own stream is looked at too: it would be analysed twice";
                add(&field, camera.as_str(), rule, "take `source` out of its entry in the camera file");
            } else if !mapped.insert(camera.clone()) {
                add(&field, camera.as_str(), "another sensor is this camera already", "give each its own camera");
            }
        }
    }
}

/// Rule and way out.
fn wrong_topic<'a>(topic: &'a str, prefix: &str, seen: &mut BTreeSet<&'a str>) -> Option<(&'static str, &'static str)> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    // On Kafka the product's own have the prefix of `bus.kafka.prefix`.
    if topics::names().any(|name| name == topic || topic.strip_prefix(prefix) == Some(name)) {
        return Some(("this is a topic of the product itself", "let the producer write to another one"));
    }
    if topic.is_empty() || topic.len() > 200 || topic.starts_with("__") || !topic.chars().all(allowed) {
        return Some(("a topic name has 1 to 200 letters, digits, `.`, `_`, `-`, and does not begin with `__`", ""));
    }
    (!seen.insert(topic)).then_some(("another entry has this topic", "put both together, or use two topics"))
}

#[cfg(test)]
mod tests {
    fn mistakes(text: &str) -> String {
        let text = "[site]\n".to_owned() + text;
        let folder = tempfile::tempdir().unwrap();
        let camera = |id: &str, source: &str| {
            format!(
                "[[camera]]\nid = \"{id}\"\nname = \"n\"\npurpose = \"p\"\n{source}\n\
                     position = {{ latitude = 22.5, longitude = 113.9, error_m = 1.0 }}\n"
            )
        };
        let own = "source = { kind = \"rtsp\", url = \"rtsp://10.0.0.1/live\" }";
        std::fs::write(folder.path().join("cameras.toml"), camera("gate", "") + &camera("own", own)).unwrap();
        std::fs::write(folder.path().join("policies.toml"), "").unwrap();
        let file = folder.path().join("vedette.toml");
        std::fs::write(&file, text).unwrap();
        super::super::Config::load(&file).err().map(|mistakes| mistakes.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_good_entry_is_taken() {
        let said = mistakes(
            "[[metadata]]\ntopic = \"mdx-raw\"\nformat = \"nvschema\"\ncameras = { \"Sensor 1\" = \"gate\" }\n\
             frame = { width = 1920, height = 1080 }\nframes = { gate = { width = 640, height = 360 } }\n\
             classes = { forklift = \"truck\" }\nmissing_confidence = 0.25\nsince = \"2026-01-01T00:00:00Z\"\n\
             [[metadata]]\ntopic = \"dls\"\nformat = \"dlstreamer\"\ntime = \"record\"\n",
        );
        assert_eq!(said, "");
    }

    #[test]
    fn no_topic_of_the_product_is_foreign() {
        let specs = vedette_topics::topics::specs(&vedette_topics::BusSettings::default());
        assert!(specs.len() >= 9);
        for topic in specs {
            let said = mistakes(&format!("[[metadata]]\ntopic = \"{}\"\nformat = \"dlstreamer\"\n", topic.name));
            assert!(said.contains("a topic of the product itself"), "{}: {said}", topic.name);
            let full = format!("[[metadata]]\ntopic = \"vedette.{}\"\nformat = \"dlstreamer\"\n", topic.name);
            assert!(mistakes(&full).contains("a topic of the product itself"), "vedette.{}", topic.name);
        }
    }

    #[test]
    fn every_mistake_is_said_at_once() {
        let said = mistakes(
            "[[metadata]]\ntopic = \"alerts\"\nformat = \"onvif\"\ntime = \"record\"\n\
             cameras = { a = \"nobody\", b = \"own\", c = \"gate\", d = \"gate\" }\n\
             [[metadata]]\ntopic = \"a b\"\nformat = \"dlstreamer\"\nframe = { width = 0, height = 5 }\n\
             [[metadata]]\ntopic = \"x\"\nformat = \"dlstreamer\"\n[[metadata]]\ntopic = \"x\"\nformat = \"dlstreamer\"\n",
        );
        for expected in [
            "metadata[0] (alerts).topic = alerts",
            "metadata[0] (alerts).frame",
            "metadata[0] (alerts).time",
            "metadata[0] (alerts).cameras.a = nobody",
            "metadata[0] (alerts).cameras.b = own",
            "metadata[0] (alerts).cameras.d = gate",
            "metadata[1] (a b).topic = a b",
            "metadata[1] (a b).frame = 0x5",
            "metadata[3] (x).topic = x",
        ] {
            assert!(said.contains(expected), "{expected} is not in\n{said}");
        }
        assert!(said.starts_with("9 mistakes"), "{said}");
        let unreadable = mistakes("[[metadata]]\ntopic = \"x\"\nformat = \"xml\"\nsince = \"yesterday\"\n");
        assert!(unreadable.contains("nvschema") && unreadable.contains("metadata[0] (x).format"), "{unreadable}");
    }
}
