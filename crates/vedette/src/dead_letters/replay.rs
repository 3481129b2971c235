//! Records that were put aside go back to their topics, as they were.

use anyhow::Context;
use bytes::Bytes;
use vedette_bus::{Header, Record, SharedBus};
use vedette_wire::DeadLetter;

use super::catalog::{self, Entry};
use crate::{clock, topics};

/// Header of the mark on `dead-letters` that a record was given back, and when.
pub(super) const REPLAYED_AT: &str = "vedette-replayed-at";
/// Header of a record that was given back: the position it was refused at.
pub(super) const REPLAY_OF: &str = "vedette-replay-of";

/// Gives one record back and marks it. First the record is durable, then its mark: who dies between the two finds it unmarked
/// and gives it back once more, which is repeated rather than lost.
pub(super) async fn replay(bus: &SharedBus, entry: &Entry) -> anyhow::Result<()> {
    let letter = catalog::fetch(bus, entry).await?;
    let source = &entry.source;
    let back = bus.send(&source.topic, original(letter, source.to_string())).await;
    back.with_context(|| format!("{source}: giving it back"))?
        .await
        .with_context(|| format!("{source}: giving it back"))?;
    let now = clock::now();
    let mark = Record {
        key: source.to_string().into(),
        value: None,
        headers: vec![Header { name: REPLAYED_AT.into(), value: now.to_string().into() }],
        timestamp_ms: now.as_millis(),
    };
    let marked = async { bus.send(topics::DEAD_LETTERS, mark).await?.await };
    marked
        .await
        .with_context(|| format!("{source} was given back, but not marked: the next replay gives it back again"))?;
    Ok(())
}

/// The record as it was, with where it comes from.
fn original(letter: DeadLetter, source: String) -> Record {
    let headers = letter.headers.into_iter().filter(|(name, _)| name != REPLAY_OF);
    let mut headers: Vec<Header> = headers.map(|(name, value)| Header { name, value }).collect();
    headers.push(Header { name: REPLAY_OF.into(), value: Bytes::from(source) });
    Record { key: letter.key, value: letter.value, headers, timestamp_ms: letter.timestamp_ms }
}
