//! Contents of the topics and of the console's store when the product is quiescent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use vedette_bus::{Delivered, SharedBus, StartAt};
use vedette_core::{Alert, CameraId, CameraRecord};
use vedette_topics::{reading, topics};
use vedette_wire::{AnalysisState, decode_detections, decode_state, decode_video};

/// Attempts to read a topic.
const ATTEMPTS: usize = 10;
/// Pause between attempts.
const PAUSE: Duration = Duration::from_secs(2);

/// A record of `detections`.
#[derive(Clone)]
pub(crate) struct Lying {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) frame: CameraRecord,
}

/// A row of the store.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) id: String,
    pub(crate) revision: u32,
    pub(crate) alert: Alert,
}

/// All data that the checks compare.
#[derive(Clone, Default)]
pub(crate) struct Content {
    /// Numbers of the frames on `video`, by camera and epoch.
    pub(crate) video: BTreeMap<CameraId, BTreeMap<u64, BTreeSet<u64>>>,
    /// In the order of their offsets.
    pub(crate) detections: Vec<Lying>,
    /// Values of `alerts`, in the order of their offsets.
    pub(crate) alerts: Vec<Bytes>,
    /// The most advanced state of each camera.
    pub(crate) states: BTreeMap<CameraId, AnalysisState>,
    /// Records of `dead-letters`.
    pub(crate) dead_letters: u64,
    pub(crate) store: Vec<Stored>,
}

impl Content {
    /// Reads all of it.
    pub(crate) async fn read(bus: &SharedBus, store: &Path) -> anyhow::Result<Self> {
        let mut content = Self { store: stored(store)?, ..Self::default() };
        for record in records(bus, topics::VIDEO.name()).await? {
            let video = decode_video(value(record)?).context("a record of `video`")?;
            let Some(chunk) = video.into_chunk() else { continue };
            let frames = content.video.entry(chunk.camera).or_default().entry(chunk.epoch).or_default();
            frames.extend(chunk.first_sequence..chunk.first_sequence + chunk.units.len() as u64);
        }
        for record in records(bus, topics::DETECTIONS.name()).await? {
            let (partition, offset) = (record.position.partition, record.position.offset);
            let frame = decode_detections(value(record)?).context("a record of `detections`")?;
            content.detections.push(Lying { partition, offset, frame });
        }
        content.alerts =
            records(bus, topics::ALERTS.name()).await?.into_iter().map(value).collect::<anyhow::Result<_>>()?;
        for record in records(bus, topics::STATES.name()).await? {
            let state = decode_state(value(record)?).context("a record of `states`")?;
            let known = content.states.get(&state.camera);
            if known.is_none_or(|known| known.next_offset <= state.next_offset) {
                content.states.insert(state.camera.clone(), state);
            }
        }
        content.dead_letters = records(bus, topics::DEAD_LETTERS.name()).await?.len() as u64;
        Ok(content)
    }
}

fn value(record: Delivered) -> anyhow::Result<Bytes> {
    let at = &record.position;
    record.record.value.with_context(|| format!("{}/{} offset {} has no value", at.topic, at.partition, at.offset))
}

/// Every record of a topic. Leaders move now and then, and a read right after that fails.
async fn records(bus: &SharedBus, topic: &str) -> anyhow::Result<Vec<Delivered>> {
    let mut attempts = 0;
    loop {
        attempts += 1;
        match all(bus, topic).await {
            Err(_) if attempts < ATTEMPTS => tokio::time::sleep(PAUSE).await,
            outcome => return outcome.with_context(|| format!("reading `{topic}`")),
        }
    }
}

async fn all(bus: &SharedBus, topic: &str) -> anyhow::Result<Vec<Delivered>> {
    let mut reader = bus.read(topic, StartAt::Earliest).await?;
    let mut records = Vec::new();
    reading::to_end(bus, topic, &mut reader, |record| records.push(record)).await?;
    records.sort_by_key(|record| (record.position.partition, record.position.offset));
    Ok(records)
}

fn stored(path: &Path) -> anyhow::Result<Vec<Stored>> {
    let store = rusqlite::Connection::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut rows = store.prepare("SELECT id, revision, payload FROM alert ORDER BY id")?;
    let rows =
        rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?, row.get::<_, String>(2)?)))?;
    rows.map(|row| {
        let (id, revision, payload) = row?;
        let alert = serde_json::from_str(&payload).with_context(|| format!("alert {id} of the store"))?;
        Ok(Stored { id, revision, alert })
    })
    .collect()
}
