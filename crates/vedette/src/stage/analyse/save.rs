//! A save: the states of all partitions that moved, as they are at one moment. They are written while analysis goes on.

use std::future::pending;

use anyhow::Context;
use futures::future::{join_all, try_join_all};
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;
use vedette_bus::{BusError, Committer, Record, SharedBus, Watermarks, Written};

use crate::topics;

/// What is to be saved of one partition.
pub(super) struct Share {
    pub(super) partition: u32,
    /// The first record that the states have not seen.
    pub(super) next: u64,
    /// Alerts and dead letters of what they have seen.
    pub(super) before: Vec<JoinHandle<Result<(), BusError>>>,
    pub(super) states: Vec<Record>,
}

impl Share {
    /// Publishes the states once all that came of the records before is durable, and commits when they are too. Says what was
    /// written.
    async fn write(self, bus: &SharedBus, committer: &Committer) -> anyhow::Result<Vec<Written>> {
        let Self { partition, next, before, states } = self;
        for durable in before {
            durable.await?.context("publishing alerts")?;
        }
        let mut deliveries = Vec::with_capacity(states.len());
        for state in states {
            deliveries.push(bus.send(topics::STATES, state).await?);
        }
        let written = try_join_all(deliveries).await.context("publishing states")?;
        match committer.commit(topics::DETECTIONS, partition, next).await {
            // It went to another member meanwhile, whose word on offsets now counts; what we sent it recognises.
            Err(error @ BusError::Refused { .. }) => {
                tracing::warn!(stage = super::STAGE, partition, next, %error, "commit refused; the records may be seen again");
            }
            outcome => outcome.context("committing")?,
        }
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
pub(super) struct Saving(Option<AbortOnDropHandle<anyhow::Result<Saved>>>);

impl Saving {
    pub(super) fn is_going_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins to write. There is one save at a time: what a later one says of a camera is never written first.
    pub(super) fn begin(&mut self, shares: Vec<Share>, bus: SharedBus, committer: Committer) {
        debug_assert!(!self.is_going_on());
        self.0 = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            let written = try_join_all(shares.into_iter().map(|share| share.write(&bus, &committer))).await?;
            let mut written = written.concat();
            written.sort_unstable_by_key(|written| (written.partition, written.offset));
            Ok(Saved { written, marks: bus.watermarks(topics::STATES).await })
        })));
    }

    /// What the save came to; none when none goes on. Safe to cancel.
    pub(super) async fn end(&mut self) -> anyhow::Result<Option<Saved>> {
        let Some(saving) = &mut self.0 else { return Ok(None) };
        let saved = saving.await;
        self.0 = None;
        saved?.map(Some)
    }

    /// As [`Self::end`], and waits for ever when none goes on.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<Saved>> {
        if self.is_going_on() { self.end().await } else { pending().await }
    }
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
