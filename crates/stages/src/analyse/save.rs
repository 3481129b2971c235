//! A save: the states of all partitions that moved, of each partition as they are at one moment. They are written while analysis
//! goes on, and taken one partition after the other, so that no record waits for all of them.

use std::future::pending;

use anyhow::Context;
use futures::channel::mpsc;
use futures::future::{join_all, try_join_all};
use futures::{StreamExt, TryStreamExt};
use tokio_util::task::AbortOnDropHandle;
use vedette_bus::{BusError, Committer, Record, SharedBus, Watermarks, Written};
use vedette_topics::{consumer, topics};

use super::published::OnTheirWay;

/// What is to be saved of one partition.
pub(super) struct Share {
    pub(super) partition: u32,
    /// The first record that the states have not seen.
    pub(super) next: u64,
    /// Alerts, near misses and dead letters of what they have seen.
    pub(super) before: OnTheirWay,
    pub(super) states: Vec<Record>,
}

impl Share {
    /// Publishes the states once all that came of the records before is durable, and commits when they are too. Says what was
    /// written.
    async fn write(self, bus: &SharedBus, committer: &Committer) -> anyhow::Result<Vec<Written>> {
        let Self { partition, next, before, states } = self;
        before.arrive().await.context("publishing alerts")?;
        let mut deliveries = Vec::with_capacity(states.len());
        for state in states {
            deliveries.push(bus.send(topics::STATES.name(), state).await?);
        }
        let written = try_join_all(deliveries).await.context("publishing states")?;
        consumer::commit(committer, super::STAGE, topics::DETECTIONS.name(), partition, next)
            .await
            .context("committing")?;
        Ok(written)
    }
}

/// What a save came to.
pub(super) struct Saved {
    /// In the order of the topic.
    pub(super) written: Vec<Written>,
    /// How far `states` went after it.
    pub(super) marks: Result<Vec<Watermarks>, BusError>,
}

/// The save that goes on, if one does; it ends with its stage.
#[derive(Default)]
pub(super) struct Saving(Option<Save>);

struct Save {
    /// None when there is no more to come.
    shares: Option<mpsc::UnboundedSender<Share>>,
    writing: AbortOnDropHandle<anyhow::Result<Saved>>,
}

impl Saving {
    pub(super) fn is_going_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins a save. There is one at a time: what a later one says of a camera is never written first.
    pub(super) fn begin(&mut self, bus: SharedBus, committer: Committer) {
        debug_assert!(!self.is_going_on());
        let (shares, coming) = mpsc::unbounded();
        let writing = AbortOnDropHandle::new(tokio::spawn(write_all(coming, bus, committer)));
        self.0 = Some(Save { shares: Some(shares), writing });
    }

    /// Adds a partition to the save that goes on; it is written from now on.
    pub(super) fn add(&self, share: Share) {
        let shares = self.0.as_ref().and_then(|save| save.shares.as_ref());
        debug_assert!(shares.is_some());
        if let Some(shares) = shares {
            // Refused when the save has failed already, which its end tells.
            let _ = shares.unbounded_send(share);
        }
    }

    /// No partition comes any more.
    pub(super) fn close(&mut self) {
        if let Some(save) = &mut self.0 {
            save.shares = None;
        }
    }

    /// What the save came to, which takes no more; none when none goes on. Safe to cancel.
    pub(super) async fn end(&mut self) -> anyhow::Result<Option<Saved>> {
        self.close();
        if self.is_going_on() { self.next().await.map(Some) } else { Ok(None) }
    }

    /// What the save came to, once it is over; waits for ever when none goes on. Safe to cancel.
    pub(super) async fn next(&mut self) -> anyhow::Result<Saved> {
        let Some(save) = &mut self.0 else { return pending().await };
        let saved = (&mut save.writing).await;
        self.0 = None;
        saved?
    }
}

/// Writes shares as they come, side by side, until the last.
async fn write_all(
    coming: mpsc::UnboundedReceiver<Share>,
    bus: SharedBus,
    committer: Committer,
) -> anyhow::Result<Saved> {
    let writing = coming.map(|share| share.write(&bus, &committer)).buffer_unordered(usize::MAX);
    let mut written = writing.try_concat().await?;
    written.sort_unstable_by_key(|written| (written.partition, written.offset));
    Ok(Saved { written, marks: bus.watermarks(topics::STATES.name()).await })
}

/// Writes the shares of partitions that another member takes over. What cannot be written it makes again from the last commit.
pub(super) async fn write_on_leaving(shares: Vec<Share>, bus: &SharedBus, committer: &Committer) {
    let numbers: Vec<u32> = shares.iter().map(|share| share.partition).collect();
    let written = join_all(shares.into_iter().map(|share| share.write(bus, committer))).await;
    for (partition, written) in numbers.into_iter().zip(written) {
        if let Err(error) = written {
            tracing::warn!(
                stage = super::STAGE,
                partition,
                error = format!("{error:#}"),
                "not saved on leaving; the next owner repeats what came since the last commit"
            );
        }
    }
}
