//! What a site of commit 8dbab3e left behind when it was killed between two checkpoints, and what it would have come to
//! without that. `tests/upgrade/8dbab3e/README.md` says how it was made.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::Value;
use vedette_bus::{Header, Record};
use vedette_core::{Alert, AlertStatus};
use vedette_topics::topics;
use vedette_wire::decode_alert;

use crate::support::root;

/// Id and revision of an alert.
pub(crate) type Name = (String, u32);

fn path(name: &str) -> PathBuf {
    root().join("tests/upgrade/8dbab3e").join(name)
}

/// The content of a compressed file.
fn text(name: &str) -> String {
    let mut text = String::new();
    GzDecoder::new(File::open(path(name)).unwrap()).read_to_string(&mut text).unwrap();
    text
}

/// Puts the site's configuration into `folder`; gives the settings file.
pub(crate) fn site(folder: &Path) -> PathBuf {
    for entry in std::fs::read_dir(path("site")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    folder.join("vedette.toml")
}

/// Puts the embedded log and the SQLite file of the site below `folder`.
pub(crate) fn data(folder: &Path) {
    let data = GzDecoder::new(File::open(path("data.tar.gz")).unwrap());
    tar::Archive::new(data).unpack(folder.join("data")).unwrap();
}

/// The site's PostgreSQL database as SQL.
pub(crate) fn store_sql() -> String {
    text("store.sql.gz")
}

/// A record as it is kept.
#[derive(Deserialize)]
pub(crate) struct Kept {
    pub(crate) topic: String,
    /// Where it was; absent when it was not written yet.
    pub(crate) partition: Option<u32>,
    pub(crate) offset: Option<u64>,
    key: String,
    value: Option<String>,
    headers: Vec<(String, String)>,
    time: i64,
}

impl Kept {
    pub(crate) fn record(&self) -> Record {
        Record {
            key: self.key.clone().into(),
            value: self.value(),
            headers: self
                .headers
                .iter()
                .map(|(name, value)| Header { name: name.clone(), value: hex(value) })
                .collect(),
            timestamp_ms: self.time,
        }
    }

    pub(crate) fn value(&self) -> Option<Bytes> {
        self.value.as_deref().map(hex)
    }
}

fn hex(text: &str) -> Bytes {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn lines(name: &str) -> Vec<Kept> {
    text(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every record of the site's topics.
pub(crate) fn records() -> Vec<Kept> {
    lines("records.jsonl.gz")
}

/// The detections that came after the site was killed.
pub(crate) fn later() -> Vec<Kept> {
    lines("later.jsonl.gz")
}

/// How far a consumer group had come.
#[derive(Deserialize)]
pub(crate) struct Committed {
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) partition: u32,
    pub(crate) next: u64,
}

pub(crate) fn committed() -> Vec<Committed> {
    serde_json::from_str(&std::fs::read_to_string(path("committed.json")).unwrap()).unwrap()
}

/// Every alert that the version of then gives without an interruption.
pub(crate) fn alerts() -> BTreeMap<Name, Alert> {
    #[derive(Deserialize)]
    struct Line {
        id: String,
        revision: u32,
        value: String,
    }
    let lines: Vec<Line> = text("alerts.jsonl.gz").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.into_iter().map(|line| ((line.id, line.revision), decode_alert(hex(&line.value)).unwrap())).collect()
}

/// The alerts that were on the bus when the site was killed.
pub(crate) fn alerts_until_then() -> BTreeMap<Name, Alert> {
    let records = records().into_iter().filter(|kept| kept.topic == topics::ALERTS.name());
    let alerts = records.map(|kept| decode_alert(kept.value().unwrap()).unwrap());
    alerts.map(|alert| ((alert.id.to_string(), alert.revision), alert)).collect()
}

/// The ids of the alerts that were open when the site was killed.
pub(crate) fn open_then() -> Vec<String> {
    let alerts = alerts_until_then();
    let is_open = |((id, _), alert): &(&Name, &Alert)| {
        alert.status == AlertStatus::Open && !alerts.contains_key(&(id.clone(), alert.revision + 1))
    };
    alerts.iter().filter(is_open).map(|((id, _), _)| id.clone()).collect()
}

/// What `GET /api/v1/alerts` lists without an interruption.
pub(crate) fn stored() -> Vec<Value> {
    serde_json::from_str(&text("stored.json.gz")).unwrap()
}

/// What `GET /api/v1/frames` says without an interruption: `all`, and each of `cameras`.
pub(crate) fn frames() -> Value {
    serde_json::from_str(&std::fs::read_to_string(path("frames.json")).unwrap()).unwrap()
}
