//! The catalogue of dead letters: one entry per dead-lettered record, without its content.

use std::collections::BTreeMap;

use anyhow::Context;
use bytes::Bytes;
use serde::Serialize;
use vedette_bus::{BusError, Delivered, SharedBus, StartAt};
use vedette_core::{CameraId, Timestamp};
use vedette_stages::MetadataSettings;
use vedette_topics::{reading, topics};
use vedette_wire::{DeadLetter, DeadLetterReason};

use super::{REPLAY_OF, REPLAYED_AT, Source};

/// One dead-lettered record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) source: Source,
    /// Position of its first dead letter.
    pub(super) at: (u32, u64),
    /// When it was first dead-lettered.
    pub(super) refused: Timestamp,
    pub(super) stage: String,
    pub(super) reason: DeadLetterReason,
    pub(super) detail: String,
    pub(super) key: Bytes,
    /// The record's own timestamp.
    pub(super) written_ms: i64,
    /// Size of its value in bytes.
    pub(super) bytes: u64,
    /// None when its content was kept; else the number of records that this dead letter stands for.
    pub(super) stands_for: Option<u64>,
    /// How often it was dead-lettered; more than once after a restart at the wrong instant.
    pub(super) times: u32,
    /// When it was last redriven to its topic.
    pub(super) replayed: Option<Timestamp>,
    /// The dead letter that this record was redriven from.
    pub(super) replay_of: Option<String>,
}

/// All of them, in the order in which they were dead-lettered.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Catalog {
    pub(super) entries: Vec<Entry>,
    /// Records of the topic that are not dead letters, each with the reason.
    pub(super) unreadable: Vec<String>,
}

/// Filter of entries.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Filter {
    /// Only records of this camera.
    #[arg(long)]
    pub camera: Option<CameraId>,
    /// Only records dead-lettered for this reason.
    #[arg(long, value_parser = reason)]
    pub reason: Option<DeadLetterReason>,
    /// Only records dead-lettered since then: RFC 3339, or a duration before now, as in `2h`.
    #[arg(long, value_parser = since)]
    pub since: Option<Timestamp>,
    /// Only records of this topic.
    #[arg(long)]
    pub topic: Option<String>,
}

impl Filter {
    pub(super) fn is_empty(&self) -> bool {
        self.camera.is_none() && self.reason.is_none() && self.since.is_none() && self.topic.is_none()
    }

    pub(super) fn holds(&self, entry: &Entry, metadata: &[MetadataSettings]) -> bool {
        self.camera.as_ref().is_none_or(|camera| entry.camera(metadata).as_ref() == Some(camera))
            && self.reason.is_none_or(|reason| entry.reason == reason)
            && self.since.is_none_or(|since| entry.refused >= since)
            && self.topic.as_ref().is_none_or(|topic| entry.source.topic == *topic)
    }
}

fn reason(text: &str) -> Result<DeadLetterReason, String> {
    let known = DeadLetterReason::ALL.map(DeadLetterReason::as_str).join(", ");
    let found = DeadLetterReason::ALL.into_iter().find(|reason| reason.as_str() == text);
    found.ok_or_else(|| format!("`{text}` is not a valid reason; known are {known}"))
}

fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(back) = text.parse::<vedette_core::Span>() {
        return Ok(vedette_runtime::clock::now() - back);
    }
    text.parse().map_err(|_| {
        format!(
            "`{text}` is not a valid time; write RFC 3339, as in 2026-03-01T08:00:00Z, or a length of time, as in 2h"
        )
    })
}

impl Entry {
    fn new(letter: &DeadLetter, at: (u32, u64), refused: Timestamp) -> Self {
        let replay_of = letter.headers.iter().find(|(name, _)| name == REPLAY_OF);
        Self {
            source: Source::of(letter),
            at,
            refused,
            stage: letter.stage.clone(),
            reason: letter.reason,
            detail: letter.detail.clone(),
            key: letter.key.clone(),
            written_ms: letter.timestamp_ms,
            bytes: match letter.left_out {
                Some(left) => left.bytes,
                None => letter.value.as_ref().map_or(0, |value| value.len() as u64),
            },
            stands_for: letter.left_out.map(|left| left.records.max(1)),
            times: 1,
            replayed: None,
            replay_of: replay_of.map(|(_, value)| String::from_utf8_lossy(value).into_owned()),
        }
    }

    /// The camera from the record's key: our topics are keyed by camera, those of other producers by sensor.
    pub(super) fn camera(&self, metadata: &[MetadataSettings]) -> Option<CameraId> {
        let key = std::str::from_utf8(&self.key).ok()?;
        let topic = self.source.topic.as_str();
        if topic == topics::ADDRESSES.name() {
            return None;
        }
        if topic == topics::POLICIES.name() {
            return CameraId::new(without_time(key.strip_prefix("camera/")?)).ok();
        }
        if topic == topics::CAMERAS.name() {
            return CameraId::new(without_time(key)).ok();
        }
        match metadata.iter().find(|entry| entry.topic == topic) {
            Some(entry) => entry.camera(key),
            None => CameraId::new(key).ok(),
        }
    }

    /// As one JSON object.
    pub(super) fn json(&self, metadata: &[MetadataSettings]) -> EntryJson {
        EntryJson {
            position: self.source.to_string(),
            topic: self.source.topic.clone(),
            partition: self.source.partition,
            offset: self.source.offset,
            refused: self.refused.to_string(),
            stage: self.stage.clone(),
            reason: self.reason.as_str(),
            detail: self.detail.clone(),
            key: String::from_utf8_lossy(&self.key).into_owned(),
            camera: self.camera(metadata),
            written: Timestamp::from_micros(self.written_ms.saturating_mul(1_000)).to_string(),
            bytes: self.bytes,
            kept: self.stands_for.is_none(),
            stands_for: self.stands_for.unwrap_or(1),
            times: self.times,
            replayed: self.replayed.map(|at| at.to_string()),
            replay_of: self.replay_of.clone(),
        }
    }
}

/// An entry in the format of `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct EntryJson {
    pub(super) position: String,
    topic: String,
    partition: u32,
    offset: u64,
    refused: String,
    stage: String,
    reason: &'static str,
    detail: String,
    key: String,
    camera: Option<CameraId>,
    written: String,
    bytes: u64,
    /// Whether the dead letter has the record's content.
    kept: bool,
    /// Unusable records of the key that it stands for: more than itself where the content was not kept.
    stands_for: u64,
    times: u32,
    replayed: Option<String>,
    replay_of: Option<String>,
}

/// Reads the topic to its current end.
pub(super) async fn read(bus: &SharedBus) -> anyhow::Result<Catalog> {
    let topic = topics::DEAD_LETTERS.name();
    let mut reader = bus.read(topic, StartAt::Earliest).await.context("opening the dead letters")?;
    let (mut found, mut marks, mut unreadable) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
    reading::to_end(bus, topic, &mut reader, |record| {
        if let Err(error) = note(&record, &mut found, &mut marks) {
            unreadable.push(format!("offset {} of `{topic}`: {error}", record.position.offset));
        }
    })
    .await?;
    let mut entries: Vec<Entry> = found.into_values().collect();
    for entry in &mut entries {
        entry.replayed = marks.get(&entry.source).copied();
    }
    entries.sort_by(|a, b| (a.refused, &a.source).cmp(&(b.refused, &b.source)));
    Ok(Catalog { entries, unreadable })
}

fn note(
    record: &Delivered,
    found: &mut BTreeMap<Source, Entry>,
    marks: &mut BTreeMap<Source, Timestamp>,
) -> Result<(), String> {
    if record.record.value.is_none() {
        let source: Source = String::from_utf8_lossy(&record.record.key).parse()?;
        let at = record.record.header(REPLAYED_AT).map(|at| String::from_utf8_lossy(at).into_owned());
        let at = at.ok_or_else(|| format!("a record without value has the header {REPLAYED_AT}"))?;
        marks.insert(source, at.parse().map_err(|error| format!("{REPLAYED_AT} `{at}`: {error}"))?);
        return Ok(());
    }
    let letter = topics::DEAD_LETTERS.read(record).map_err(|error| error.to_string())?;
    let at = (record.position.partition, record.position.offset);
    let refused = Timestamp::from_micros(record.record.timestamp_ms.saturating_mul(1_000));
    found
        .entry(Source::of(&letter))
        .and_modify(|entry| {
            entry.times += 1;
            // After a restart the same record may have been kept whole.
            if entry.stands_for.is_some() && letter.left_out.is_none() {
                *entry = Entry { refused: entry.refused, times: entry.times, ..Entry::new(&letter, at, refused) };
            }
        })
        .or_insert_with(|| Entry::new(&letter, at, refused));
    Ok(())
}

/// The dead letter of an entry. The content of a record that was not kept comes from the record's own topic.
pub(super) async fn fetch(bus: &SharedBus, entry: &Entry) -> anyhow::Result<DeadLetter> {
    let (partition, offset) = entry.at;
    let record = bus.fetch(topics::DEAD_LETTERS.name(), partition, offset).await?;
    let gone = || format!("{}: retention has taken its dead letter meanwhile", entry.source);
    let record = record.filter(|record| record.record.value.is_some()).with_context(gone)?;
    completed(bus, topics::DEAD_LETTERS.read(&record)?).await
}

/// The dead letter with its content: a mere reference is filled from the record's own topic.
///
/// # Errors
/// When that no longer has the record.
pub(super) async fn completed(bus: &SharedBus, letter: DeadLetter) -> anyhow::Result<DeadLetter> {
    if letter.left_out.is_none() {
        return Ok(letter);
    }
    let DeadLetter { topic, partition, offset, .. } = &letter;
    let record = match bus.fetch(topic, *partition, *offset).await {
        Err(BusError::UnknownTopic(_) | BusError::Refused { .. }) => None,
        fetched => fetched?,
    };
    // A topic that was made anew has another record there.
    let same =
        |record: &Delivered| record.record.key == letter.key && record.record.timestamp_ms == letter.timestamp_ms;
    let record = record.filter(same).with_context(|| {
        format!(
            "{topic}/{partition}/{offset}: its content was not kept, because its camera had used up its share of the dead letters, \
             and `{topic}` no longer has the record"
        )
    })?;
    let headers = record.record.headers.into_iter().map(|header| (header.name, header.value)).collect();
    Ok(DeadLetter { value: record.record.value, headers, left_out: None, ..letter })
}
/// The id in the key of a version: later versions have the time from which they are effective behind it.
fn without_time(key: &str) -> &str {
    key.split('/').next().unwrap_or(key)
}
