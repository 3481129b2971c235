//! A checkpoint run: the changed states of all partitions, each partition at one instant. They are written while analysis
//! continues, and taken one partition after the other, so that no record waits for all of them.

use std::future::pending;

use futures::channel::mpsc;
use futures::future::{join_all, try_join_all};
use futures::{StreamExt, TryStreamExt};
use tokio_util::task::AbortOnDropHandle;
use vedette_bus::{BusError, Committer, Record, SharedBus, Watermarks, Written};
use vedette_topics::During;
use vedette_topics::{consumer, topics};

use super::published::InFlight;

/// The data to checkpoint of one partition.
pub(super) struct Share {
    pub(super) partition: u32,
    /// The first record that the states do not include.
    pub(super) next: u64,
    /// Alerts, near-misses and dead letters that they caused.
    pub(super) before: InFlight,
    pub(super) states: Vec<Record>,
}

impl Share {
    /// Publishes the states once all effects of earlier records are durable, and commits when the states are too. Returns the
    /// written states.
    async fn write(self, bus: &SharedBus, committer: &Committer) -> crate::Result<Vec<Written>> {
        let Self { partition, next, before, states } = self;
        before.arrive().await.during("publishing alerts")?;
        let mut deliveries = Vec::with_capacity(states.len());
        for state in states {
            deliveries.push(bus.send(topics::STATES.name(), state).await?);
        }
        let written = try_join_all(deliveries).await.during("publishing states")?;
        consumer::commit(committer, super::STAGE, topics::DETECTIONS.name(), partition, next)
            .await
            .during("committing")?;
        Ok(written)
    }
}

/// Outcome of a checkpoint run.
pub(super) struct Saved {
    /// In the order of the topic.
    pub(super) written: Vec<Written>,
    /// End offsets of `states` afterwards.
    pub(super) marks: Result<Vec<Watermarks>, BusError>,
}

/// The checkpoint run in progress, if any; it ends with its stage.
#[derive(Default)]
pub(super) struct Saving(Option<Save>);

struct Save {
    /// None when no more will be added.
    shares: Option<mpsc::UnboundedSender<Share>>,
    writing: AbortOnDropHandle<crate::Result<Saved>>,
}

impl Saving {
    pub(super) fn is_going_on(&self) -> bool {
        self.0.is_some()
    }

    /// Begins a run. There is only one at a time: a later checkpoint of a camera is never written first.
    pub(super) fn begin(&mut self, bus: SharedBus, committer: Committer) {
        debug_assert!(!self.is_going_on());
        let (shares, coming) = mpsc::unbounded();
        let writing = AbortOnDropHandle::new(tokio::spawn(write_all(coming, bus, committer)));
        self.0 = Some(Save { shares: Some(shares), writing });
    }

    /// Adds a partition to the run in progress; it is written from now on.
    pub(super) fn add(&self, share: Share) {
        let shares = self.0.as_ref().and_then(|save| save.shares.as_ref());
        debug_assert!(shares.is_some());
        if let Some(shares) = shares {
            // Refused when the run has already failed, which its end reports.
            let _ = shares.unbounded_send(share);
        }
    }

    /// No more partitions will be added.
    pub(super) fn close(&mut self) {
        if let Some(save) = &mut self.0 {
            save.shares = None;
        }
    }

    /// Closes the run in progress and returns its outcome; none when there is none. Cancel-safe.
    pub(super) async fn end(&mut self) -> crate::Result<Option<Saved>> {
        self.close();
        if self.is_going_on() { self.next().await.map(Some) } else { Ok(None) }
    }

    /// The outcome of the run in progress, once it ends; waits forever when there is none. Cancel-safe.
    pub(super) async fn next(&mut self) -> crate::Result<Saved> {
        let Some(save) = &mut self.0 else { return pending().await };
        let saved = (&mut save.writing).await;
        self.0 = None;
        saved?
    }
}

/// Writes shares as they arrive, side by side, until the last.
async fn write_all(
    coming: mpsc::UnboundedReceiver<Share>,
    bus: SharedBus,
    committer: Committer,
) -> crate::Result<Saved> {
    let writing = coming.map(|share| share.write(&bus, &committer)).buffer_unordered(usize::MAX);
    let mut written = writing.try_concat().await?;
    written.sort_unstable_by_key(|written| (written.partition, written.offset));
    Ok(Saved { written, marks: bus.watermarks(topics::STATES.name()).await })
}

/// Writes the shares of revoked partitions. What cannot be written, their next owner repeats from the last commit.
pub(super) async fn write_on_leaving(shares: Vec<Share>, bus: &SharedBus, committer: &Committer) {
    let numbers: Vec<u32> = shares.iter().map(|share| share.partition).collect();
    let written = join_all(shares.into_iter().map(|share| share.write(bus, committer))).await;
    for (partition, written) in numbers.into_iter().zip(written) {
        if let Err(error) = written {
            tracing::warn!(
                stage = super::STAGE,
                partition,
                error = format!("{error:#}"),
                "no checkpoint on revocation; the next owner repeats the records since the last commit"
            );
        }
    }
}
