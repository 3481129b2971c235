//! Redrives dead-lettered records to their topics, unchanged.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use vedette_bus::{BusError, Delivery, Header, Record, SharedBus, StartAt};
use vedette_runtime::clock;
use vedette_topics::topics;
use vedette_wire::{DeadLetter, decode_dead_letter};

use super::catalog::{self, Entry};
use super::{REPLAY_OF, REPLAYED_AT, Source};

/// Most bytes in flight, except for the last record.
const BATCH_BYTES: usize = 8 << 20;
/// Most records in flight.
const BATCH: usize = 512;
/// How long the bus may be silent before missing records are read one by one.
const QUIET: Duration = Duration::from_secs(5);

/// Outcome of a record.
pub(super) type Outcome = anyhow::Result<()>;

/// Redrives the records of `entries` in the order in which they were dead-lettered, and marks each; `told` is called for each.
/// First the record is made durable, then its mark: after a crash between the two the record is unmarked and redriven again,
/// repeated rather than lost.
pub(super) async fn replay(
    bus: &SharedBus,
    entries: &[&Entry],
    told: &mut impl FnMut(&Source, Outcome),
) -> anyhow::Result<()> {
    let mut wanted: BTreeMap<(u32, u64), &Entry> = entries.iter().map(|entry| (entry.at, *entry)).collect();
    let starts = wanted.keys().rev().map(|(partition, offset)| (*partition, *offset));
    let starts: BTreeMap<u32, u64> = starts.collect();
    let mut reader = bus.read(topics::DEAD_LETTERS.name(), StartAt::Offsets(starts.into_iter().collect())).await?;
    let mut batch = Batch::default();
    while !wanted.is_empty() {
        let record = match tokio::time::timeout(QUIET, reader.next()).await {
            Ok(Ok(record)) => record,
            Ok(Err(BusError::Unreachable { .. })) => continue,
            Ok(Err(error)) => return Err(error.into()),
            Err(_) => break,
        };
        let at = (record.position.partition, record.position.offset);
        if let Some(entry) = wanted.remove(&at) {
            let letter =
                record.record.value.context("it has no value").and_then(|value| Ok(decode_dead_letter(value)?));
            let letter = match letter {
                Ok(letter) => catalog::completed(bus, letter).await,
                Err(error) => Err(error),
            };
            batch.add(bus, entry, letter, told).await;
        }
    }
    for entry in wanted.into_values() {
        let letter = catalog::fetch(bus, entry).await;
        batch.add(bus, entry, letter, told).await;
    }
    batch.finish(bus, told).await;
    Ok(())
}

/// Records in flight.
#[derive(Default)]
struct Batch<'a> {
    sent: Vec<(&'a Entry, Result<Delivery, BusError>)>,
    bytes: usize,
}

impl<'a> Batch<'a> {
    async fn add(
        &mut self,
        bus: &SharedBus,
        entry: &'a Entry,
        letter: anyhow::Result<DeadLetter>,
        told: &mut impl FnMut(&Source, Outcome),
    ) {
        let letter = match letter {
            Ok(letter) => letter,
            Err(error) => return told(&entry.source, Err(error)),
        };
        let record = original(letter, &entry.source);
        self.bytes += record.size();
        self.sent.push((entry, bus.send(&entry.source.topic, record).await));
        if self.sent.len() >= BATCH || self.bytes >= BATCH_BYTES {
            self.finish(bus, told).await;
        }
    }

    /// Waits until all are durable, marks them, and waits until the marks are.
    async fn finish(&mut self, bus: &SharedBus, told: &mut impl FnMut(&Source, Outcome)) {
        self.bytes = 0;
        let mut marks = Vec::with_capacity(self.sent.len());
        for (entry, sent) in self.sent.drain(..) {
            let durable = match sent {
                Ok(delivery) => delivery.await,
                Err(error) => Err(error),
            };
            match durable {
                Ok(_) => marks.push((&entry.source, bus.send(topics::DEAD_LETTERS.name(), mark(&entry.source)).await)),
                Err(error) => told(&entry.source, Err(error).context("redriving it")),
            }
        }
        for (source, sent) in marks {
            let durable = match sent {
                Ok(delivery) => delivery.await,
                Err(error) => Err(error),
            };
            let unmarked = "it was redriven, but not marked: the next replay redrives it again";
            told(source, durable.map(drop).context(unmarked));
        }
    }
}

fn mark(source: &Source) -> Record {
    let now = clock::now();
    Record {
        key: source.to_string().into(),
        value: None,
        headers: vec![Header { name: REPLAYED_AT.into(), value: now.to_string().into() }],
        timestamp_ms: now.as_millis(),
    }
}

/// The original record, with its origin in a header.
fn original(letter: DeadLetter, source: &Source) -> Record {
    let headers = letter.headers.into_iter().filter(|(name, _)| name != REPLAY_OF);
    let mut headers: Vec<Header> = headers.map(|(name, value)| Header { name, value }).collect();
    headers.push(Header { name: REPLAY_OF.into(), value: Bytes::from(source.to_string()) });
    Record { key: letter.key, value: letter.value, headers, timestamp_ms: letter.timestamp_ms }
}
