//! Summarises the content of a dead-lettered record, as far as it can be decoded now.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use serde_json::{Value, json};
use vedette_access::AuditRow;
use vedette_bus::{Delivered, Header, Position, Record};
use vedette_core::{
    Alert, CameraNearMiss, CameraRecord, CameraVersion, Change, LateChange, PolicyVersion, StreamSession, VideoChunk,
};
use vedette_stages::MetadataSettings;
use vedette_stages::import::convert;
use vedette_topics::topics::{self, Message, Topic};
use vedette_wire::{
    AddressBaseChange, AnalysisState, CameraSignal, DeadLetter, Heartbeat, VideoRecord, WireError, WorkerReport,
    policy_key,
};

/// Most characters of text, or bytes, shown of an unreadable value.
const SHOWN: usize = 64;

/// Its content: a JSON object, with `unreadable` in it when it does not parse.
pub(super) fn summary(letter: &DeadLetter, metadata: &[MetadataSettings]) -> Value {
    let read = match metadata.iter().find(|entry| entry.topic == letter.topic) {
        Some(entry) => foreign(letter, entry),
        None => ours(letter).map_err(|error| error.to_string()),
    };
    let value = letter.value.as_deref().unwrap_or_default();
    read.unwrap_or_else(|why| json!({ "unreadable": why, "begins": begins(value) }))
}

/// The content of a record of one of the product's topics.
fn ours(letter: &DeadLetter) -> Result<Value, WireError> {
    let known = [
        read(letter, &topics::VIDEO, video),
        read(letter, &topics::SESSIONS, session),
        read(letter, &topics::HEARTBEATS, heartbeat),
        read(letter, &topics::SIGNALS, signal),
        read(letter, &topics::DETECTIONS, detections),
        read(letter, &topics::ALERTS, alert),
        read(letter, &topics::NEAR_MISSES, near_miss),
        read(letter, &topics::STATES, state),
        read(letter, &topics::CAMERAS, camera),
        read(letter, &topics::POLICIES, policy),
        read(letter, &topics::CHANGES, change),
        read(letter, &topics::LATE_CHANGES, late_change),
        read(letter, &topics::WORKERS, worker),
        read(letter, &topics::ADDRESSES, address_change),
        read(letter, &topics::AUDIT, audit_row),
        read(letter, &topics::DEAD_LETTERS, dead_letter),
    ];
    let nobody = || Ok(json!({ "unreadable": "no topic of the product, and no [[metadata]] entry names it" }));
    known.into_iter().flatten().next().unwrap_or_else(nobody)
}

/// None for a record of another topic.
fn read<M: Message>(
    letter: &DeadLetter,
    topic: &Topic<M>,
    summary: impl Fn(M) -> Value,
) -> Option<Result<Value, WireError>> {
    (letter.topic == topic.name()).then(|| topic.decode(letter.value.clone()).map(summary))
}

fn session(session: StreamSession) -> Value {
    json!({ "camera": session.camera, "epoch": session.epoch })
}

fn heartbeat(heartbeat: Heartbeat) -> Value {
    json!({ "process": heartbeat.process, "stage": heartbeat.role.stage(), "cameras": heartbeat.cameras })
}

fn signal(signal: CameraSignal) -> Value {
    json!({ "camera": signal.camera, "since": signal.since, "reason": signal.reason })
}

fn video(video: VideoRecord) -> Value {
    match video {
        VideoRecord::Chunk(published) => chunk(&published.chunk),
        VideoRecord::Piece(piece) => {
            let mut summary = chunk(&piece.of.chunk);
            summary["piece"] = json!({ "index": piece.index, "count": piece.count, "unit_bytes": piece.unit_bytes });
            summary
        }
        VideoRecord::SignalLoss(loss) => {
            json!({ "camera": loss.camera, "away": loss.at.to_string(), "reason": loss.reason })
        }
    }
}

fn detections(record: CameraRecord) -> Value {
    json!({
        "camera": record.camera,
        "epoch": record.at.epoch,
        "sequence": record.at.sequence,
        "captured": record.at.captured.to_string(),
        "detections": by_class(&record),
    })
}

fn alert(alert: Alert) -> Value {
    json!({
        "id": alert.id.to_string(),
        "revision": alert.revision,
        "camera": alert.camera,
        "rule": alert.rule,
        "raised": alert.raised.to_string(),
    })
}

fn near_miss(near: CameraNearMiss) -> Value {
    json!({
        "camera": near.camera,
        "rule": near.miss.rule,
        "started": near.miss.started.to_string(),
        "term": near.miss.term.as_str(),
        "value": near.miss.value,
        "threshold": near.miss.threshold,
    })
}

fn state(state: AnalysisState) -> Value {
    json!({ "camera": state.camera, "partition": state.partition, "next_offset": state.next_offset })
}

fn camera(version: CameraVersion) -> Value {
    let effective_from = version.effective_from.to_string();
    match version.content {
        Some(camera) => json!({
            "camera": camera.id, "effective_from": effective_from, "name": camera.name, "enabled": camera.enabled,
        }),
        None => json!({ "camera": version.of, "effective_from": effective_from, "removed": true }),
    }
}

fn change(change: Change) -> Value {
    json!({
        "change": change.id,
        "cameras": change.cameras.len(),
        "policies": change.policies.iter().map(|version| policy_key(&version.of)).collect::<Vec<_>>(),
        "prepared": change.prepared.to_string(),
        "effective_from": change.effective_from().map(|from| from.to_string()),
    })
}

fn late_change(late: LateChange) -> Value {
    json!({ "camera": late.camera, "from": late.from.to_string(), "until": late.until.to_string() })
}

fn worker(report: WorkerReport) -> Value {
    json!({ "worker": report.worker, "partitions": report.partitions.len() })
}

fn policy(version: PolicyVersion) -> Value {
    let (key, effective_from) = (policy_key(&version.of), version.effective_from.to_string());
    match version.content {
        Some(policy) => json!({
            "applies_to": key, "effective_from": effective_from, "version": policy.version, "rules": policy.rules.len(),
        }),
        None => json!({ "applies_to": key, "effective_from": effective_from, "removed": true }),
    }
}

fn address_change(change: AddressBaseChange) -> Value {
    json!({ "version": change.version(), "effective_from": change.effective_from.to_string() })
}

fn audit_row(row: AuditRow) -> Value {
    let entry = row.entry;
    json!({ "number": row.number, "at": entry.at, "who": entry.who, "act": entry.act, "object": entry.object })
}

fn dead_letter(letter: DeadLetter) -> Value {
    json!({ "topic": letter.topic, "reason": letter.reason.as_str(), "detail": letter.detail })
}

fn chunk(chunk: &VideoChunk) -> Value {
    json!({
        "camera": chunk.camera,
        "epoch": chunk.epoch,
        "codec": chunk.codec,
        "frame": chunk.frame,
        "group_of_pictures": chunk.gop,
        "part": chunk.part,
        "first_sequence": chunk.first_sequence,
        "pictures": chunk.units.len(),
        "captured": chunk.units.first().map(|unit| unit.captured.to_string()),
    })
}

fn foreign(letter: &DeadLetter, entry: &MetadataSettings) -> Result<Value, String> {
    let headers = letter.headers.iter().map(|(name, value)| Header { name: name.clone(), value: value.clone() });
    let record = Delivered {
        position: Position {
            topic: Arc::from(letter.topic.as_str()),
            partition: letter.partition,
            offset: letter.offset,
        },
        record: Record {
            key: letter.key.clone(),
            value: letter.value.clone(),
            headers: headers.collect(),
            timestamp_ms: letter.timestamp_ms,
        },
    };
    let frames = convert(&record, entry).map_err(|refusal| refusal.detail)?.frames;
    let frames = frames.iter().map(|frame| {
        json!({
            "camera": frame.camera,
            "captured": frame.at.captured.to_string(),
            "detections": by_class(frame),
        })
    });
    Ok(json!({ "format": entry.format, "frames": frames.collect::<Vec<_>>() }))
}

/// Number of objects by class.
fn by_class(record: &CameraRecord) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for detection in record.processed().iter().flat_map(|frame| &frame.detections) {
        *counts.entry(detection.class.as_str()).or_default() += 1;
    }
    counts
}

/// Text as it is, other bytes in hexadecimal.
fn begins(value: &[u8]) -> String {
    let (mut text, more) = match std::str::from_utf8(value) {
        Ok(text) => (text.chars().take(SHOWN).collect(), text.chars().count() > SHOWN),
        Err(_) => {
            let mut digits = String::new();
            for byte in value.iter().take(SHOWN) {
                let _ = write!(digits, "{byte:02x}");
            }
            (digits, value.len() > SHOWN)
        }
    };
    if more {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use vedette_wire::DeadLetterReason;

    use super::*;

    #[test]
    fn every_topic_of_the_product_has_a_summary() {
        for topic in topics::names() {
            let letter = DeadLetter {
                topic: topic.to_owned(),
                partition: 0,
                offset: 0,
                key: Bytes::new(),
                value: Some(Bytes::from_static(b"\xff\xff no message")),
                headers: Vec::new(),
                timestamp_ms: 0,
                stage: "test".to_owned(),
                reason: DeadLetterReason::Unparsable,
                detail: String::new(),
                left_out: None,
            };
            // It is decoded as the topic's own message, which it is not.
            let why = summary(&letter, &[])["unreadable"].as_str().map(str::to_owned);
            assert!(why.is_some_and(|why| !why.contains("no topic of the product")), "{topic}");
        }
    }
}
