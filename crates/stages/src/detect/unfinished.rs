//! The records of a lane whose effects are not durable yet.

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vedette_bus::{BusError, Delivery};
use vedette_wire::{PublishedChunk, VideoPiece, VideoRecord};

/// Told when a record's effects are durable, or of the bus error.
type Done = oneshot::Sender<Result<(), BusError>>;

/// A record is finished when all its frames are settled, which may take the next one, and all that was published is durable.
#[derive(Default)]
pub(super) struct Unfinished {
    /// The records with frames that are not settled: stream session and number of the last, and whom to tell.
    open: Vec<((u64, u64), Done)>,
    /// What was published before, until it is durable.
    before: Option<JoinHandle<Result<(), BusError>>>,
}

impl Unfinished {
    pub(super) fn begin(&mut self, video: &VideoRecord, done: Done) {
        let last = match video {
            VideoRecord::Chunk(PublishedChunk { chunk, .. }) => {
                (chunk.epoch, chunk.first_sequence.saturating_add((chunk.units.len() as u64).saturating_sub(1)))
            }
            VideoRecord::Piece(VideoPiece { of, .. }) => (of.chunk.epoch, of.chunk.first_sequence),
            VideoRecord::SignalLoss(loss) => (loss.epoch, 0),
        };
        self.open.push((last, done));
    }

    /// What was published with the latest record. Those before `first_open`, session and number of the first frame that is not
    /// settled, are finished with it.
    pub(super) fn durable_with(&mut self, deliveries: Vec<Delivery>, first_open: Option<(u64, u64)>) {
        let is_settled = |last: (u64, u64)| first_open.is_none_or(|open| last < open);
        let finished: Vec<_> = self.open.extract_if(.., |(last, _)| is_settled(*last)).collect();
        let before = self.before.take();
        self.before = Some(tokio::spawn(async move {
            let earlier = match before {
                Some(before) => joined(before).await,
                None => Ok(()),
            };
            let outcome = match earlier {
                Ok(()) => futures::future::try_join_all(deliveries).await.map(|_| ()),
                refused => refused,
            };
            for (_, done) in finished {
                let _ = done.send(outcome.clone());
            }
            outcome
        }));
    }

    /// Waits until what was published before is durable. Nothing is published earlier: records that the bus refused would be
    /// republished behind it, and too late.
    pub(super) async fn settle_before(&mut self) -> Result<(), BusError> {
        match self.before.take() {
            Some(before) => joined(before).await,
            None => Ok(()),
        }
    }

    /// The bus refused: none of the open records is finished.
    pub(super) fn fail(&mut self, error: &BusError) {
        for (_, done) in self.open.drain(..) {
            let _ = done.send(Err(error.clone()));
        }
    }
}

async fn joined(before: JoinHandle<Result<(), BusError>>) -> Result<(), BusError> {
    before.await.unwrap_or(Err(BusError::Closed))
}
