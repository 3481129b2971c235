//! One camera's worker in the stage: its decoder, its frame rate, its frames in order, and their accounting.

use std::time::Instant;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};
use vedette_bus::{BusError, Delivered, Delivery};
use vedette_core::{
    CameraId, CameraRecord, FrameRange, FrameSize, Priority, ShedReason, SignalLoss, Timestamp, VideoChunk,
};
use vedette_detect::{DetectError, InputImage};
use vedette_picture::PictureWatch;
use vedette_topics::{dead_letters, topics};
use vedette_wire::{DeadLetterReason, PieceJoiner, PublishedChunk, VideoPiece, VideoRecord};

use super::account::Account;
use super::backend::{Picture, Undecoded};
use super::group::Group;
use super::loss_watch::LossWatch;
use super::pace::Pace;
use super::records::{Facts, Origin, Records};
use super::reorder::{Reorder, Settled};
use super::shedding::{Share, Shedding, Waiting};
use super::unfinished::Unfinished;
use super::watched::{Progress, WatchedDecoder};
use super::{Detect, STAGE};
use crate::metrics;

/// A record for a lane.
pub(super) struct Work {
    pub(super) record: Delivered,
    pub(super) video: VideoRecord,
    /// Resolved when all effects are durable, or with the bus error.
    pub(super) done: oneshot::Sender<Result<(), BusError>>,
    /// Its pictures were dropped, because the lane's decoder is stuck and its backlog is full.
    pub(super) dropped: bool,
    /// The span of the record.
    pub(super) span: Span,
}

impl Work {
    /// Drops the pictures: the frames still have to be accounted for.
    pub(super) fn drop_pictures(&mut self) {
        let (VideoRecord::Chunk(PublishedChunk { chunk, .. })
        | VideoRecord::Piece(VideoPiece { of: PublishedChunk { chunk, .. }, .. })) = &mut self.video
        else {
            return;
        };
        chunk.units.iter_mut().for_each(|unit| unit.data = Bytes::new());
        self.record.record.value = None;
        self.dropped = true;
    }
}

/// A decoded picture, and whether the frame-rate limit applies to it.
struct Decoded {
    picture: Picture,
    paced: bool,
}

pub(super) struct Lane {
    stage: Detect,
    camera: CameraId,
    /// Notified of each chunk taken from the queue.
    progressed: mpsc::UnboundedSender<CameraId>,
    pieces: PieceJoiner,
    decoder: WatchedDecoder,
    group: Group,
    /// The group of the last frame that was published or accounted for, by the count of `reorder`.
    settled: u64,
    reorder: Reorder<Origin, Decoded>,
    pace: Option<Pace>,
    shedding: Shedding,
    account: Account,
    records: Records,
    watch: PictureWatch,
    losses: LossWatch,
    /// The chunks with frames that are not settled, or not durable.
    unfinished: Unfinished,
}

impl Lane {
    pub(super) fn new(stage: Detect, camera: CameraId, progressed: mpsc::UnboundedSender<CameraId>) -> Self {
        Self {
            progressed,
            pieces: PieceJoiner::default(),
            decoder: WatchedDecoder::default(),
            group: Group::default(),
            settled: 0,
            reorder: Reorder::new(0),
            pace: stage.max_fps.map(Pace::new),
            shedding: Shedding::new(stage.shed_after),
            account: Account::default(),
            records: Records::new(camera.clone(), stage.backend.model().clone()),
            watch: PictureWatch::default(),
            losses: LossWatch::default(),
            unfinished: Unfinished::default(),
            camera,
            stage,
        }
    }

    /// The progress of its decoder.
    pub(super) fn progress(&self) -> Progress {
        self.decoder.progress.clone()
    }

    /// The fate of its pictures.
    pub(super) fn losses(&self) -> LossWatch {
        self.losses.clone()
    }

    /// Works until the queue ends, or until the end of the chunk during which `leave` is cancelled. Chunks whose last frames are
    /// still awaited then are left to the camera's next owner.
    pub(super) async fn run(mut self, mut work: mpsc::Receiver<Work>, leave: CancellationToken) {
        while let Some(next) = leave.run_until_cancelled(work.recv()).await {
            let Some(Work { record, video, done, dropped, span }) = next else {
                // Nobody brings the pictures that the decoder holds back.
                if let Ok(deliveries) = self.end_session().await {
                    self.unfinished.durable_with(deliveries, self.first_open());
                }
                return;
            };
            // There may be no listener.
            let _ = self.progressed.send(self.camera.clone());
            self.unfinished.begin(&video, done);
            match self.take(&record, video, dropped).instrument(span).await {
                Ok(deliveries) => self.unfinished.durable_with(deliveries, self.first_open()),
                Err(error) => {
                    // Later records in the queue must not overtake one that the bus refused.
                    self.unfinished.fail(&error);
                    return;
                }
            }
        }
    }

    /// Stream session and unit of the first frame that is not settled.
    fn first_open(&self) -> Option<(u64, u64)> {
        self.account.epoch().zip(self.reorder.oldest_unit())
    }

    async fn take(&mut self, record: &Delivered, video: VideoRecord, dropped: bool) -> Result<Vec<Delivery>, BusError> {
        let offset = record.position.offset;
        self.group.note_piece(&video, offset);
        match self.pieces.join(video) {
            None => Ok(Vec::new()),
            Some(VideoRecord::Chunk(published)) => self.process(record, published, dropped).await,
            Some(VideoRecord::SignalLoss(loss)) => self.pass_on(loss).await,
            Some(VideoRecord::Piece(_)) => unreachable!("pieces are joined"),
        }
    }

    /// Publishes a signal loss on `detections`, in order with the camera's frames.
    async fn pass_on(&mut self, loss: SignalLoss) -> Result<Vec<Delivery>, BusError> {
        if !self.account.is_later(loss.epoch) {
            return Ok(Vec::new());
        }
        let mut deliveries = self.end_session().await?;
        self.account.begin_signal_loss(loss.epoch);
        self.unfinished.settle_before().await?;
        let record = CameraRecord::signal_loss(loss, self.stage.backend.model().clone());
        deliveries.push(topics::DETECTIONS.send(&self.stage.bus, &record, record.at.captured).await?);
        Ok(deliveries)
    }

    /// Accounts for the frames that are still awaited: no more of their stream session comes.
    async fn end_session(&mut self) -> Result<Vec<Delivery>, BusError> {
        if self.reorder.oldest_unit().is_some() {
            // What cannot be decoded is lost like what never came.
            let held_back = self.decoder.finish(&self.stage.decoders).await.unwrap_or_default();
            for picture in held_back {
                self.reorder.came(picture.sequence, Decoded { picture, paced: true });
            }
            self.reorder.lose_awaited();
        }
        self.publish_settled(true).await
    }

    /// Publishes the detections of the frames that are settled with a chunk, and the accounting of the others.
    async fn process(
        &mut self,
        record: &Delivered,
        published: PublishedChunk,
        dropped: bool,
    ) -> Result<Vec<Delivery>, BusError> {
        let PublishedChunk { chunk, published } = published;
        let mut deliveries = Vec::new();
        let is_first = self.account.is_later(chunk.epoch);
        if is_first {
            deliveries = self.end_session().await?;
        }
        let Some(missing) = self.account.begin(&chunk) else {
            metrics::DETECT_REPEATED_CHUNKS.get().increment(1);
            return Ok(deliveries);
        };
        if is_first {
            (self.reorder, self.settled) = (Reorder::new(missing.start()), 0);
        }
        if !missing.is_empty() {
            self.group.damage();
            self.reorder.gap(missing);
        }
        let start = self.group.start_of(&chunk, record.position.offset);
        let fresh = start.is_none_or(|start| !start.continues);
        self.reorder.await_chunk(&chunk, Origin::new(&chunk, published, record, start), fresh);
        let units = FrameRange::counted(chunk.first_sequence, chunk.units.len() as u64);
        match start {
            _ if dropped => {
                // The rest of its group of pictures cannot be decoded.
                self.group = Group::default();
                self.give_up(units, ShedReason::Overload);
            }
            // The stream was joined in the middle of a group of pictures: nothing can be decoded before the next key frame.
            None => self.give_up(units, ShedReason::JoinedMidGroup),
            Some(_) => {
                if let Some((reason, detail)) = self.decode_share(&chunk, published, units).await {
                    deliveries.push(dead_letters::send(&self.stage.bus, STAGE, record, reason, &detail).await?);
                }
            }
        }
        if chunk.last {
            self.reorder.lose_awaited();
        }
        deliveries.extend(self.publish_settled(chunk.last).await?);
        Ok(deliveries)
    }

    /// Decodes what is to be processed of a chunk. Returns why it is to be dead-lettered, if it is.
    async fn decode_share(
        &mut self,
        chunk: &VideoChunk,
        published: Timestamp,
        units: FrameRange,
    ) -> Option<(DeadLetterReason, String)> {
        let failed = match self.pictures(chunk, published).await {
            Ok(()) => return None,
            Err(failed) => failed,
        };
        self.group.damage();
        let (reason, letter) = match failed {
            Undecoded::NeedsKeyFrame | Undecoded::StillStuck => (ShedReason::NotDecoded, None),
            Undecoded::Bad(detail) | Undecoded::Stuck(detail) => {
                (ShedReason::DeadLettered, Some((DeadLetterReason::Undecodable, detail)))
            }
            Undecoded::Panic(detail) => (ShedReason::DeadLettered, Some((DeadLetterReason::Panic, detail))),
        };
        self.give_up(units, reason);
        letter
    }

    /// These units yield no pictures, nor do earlier ones any more.
    fn give_up(&mut self, units: FrameRange, reason: ShedReason) {
        self.reorder.shed(units, reason);
        self.reorder.lose_awaited();
    }

    /// Brings the pictures of the processed frames into order, with a shed reason for each of the others.
    async fn pictures(&mut self, chunk: &VideoChunk, published: Timestamp) -> Result<(), Undecoded> {
        let waiting = Waiting {
            age: (self.stage.now)().since(published),
            priority: self.stage.registry.camera(&self.camera).map_or(Priority::Normal, |camera| camera.priority),
            open_alert: self.stage.open_alerts.has(&self.camera),
            begins: chunk.part == 0,
        };
        self.stage.life.holdings.waited(waiting.age, Instant::now());
        let (share, others) = match self.shedding.share(waiting) {
            Share::All if self.stage.key_frames_only => (Share::KeyFrame, ShedReason::NotKeyFrame),
            share => (share, ShedReason::Overload),
        };
        let processed = match share {
            Share::All => chunk.units.len(),
            Share::KeyFrame if chunk.part == 0 => 1,
            Share::KeyFrame | Share::Nothing => 0,
        };
        let pictures = match processed {
            0 => Vec::new(),
            1 if share == Share::KeyFrame => self.decode(key_frame_of(chunk)).await?,
            _ => self.decode(chunk.clone()).await?,
        };
        if let Some(pace) = &mut self.pace {
            let captured: Vec<Timestamp> = chunk.units.iter().map(|unit| unit.captured).collect();
            pace.begin(&captured);
        }
        for picture in pictures {
            self.reorder.came(picture.sequence, Decoded { picture, paced: share == Share::All });
        }
        if share != Share::All {
            // The decoder does not go on from here: what it holds back does not come.
            self.group.damage();
            let units = FrameRange::counted(chunk.first_sequence, chunk.units.len() as u64);
            self.reorder.shed(units.starting_at(units.start() + processed as u64), others);
            self.reorder.lose_awaited();
        }
        Ok(())
    }

    async fn decode(&mut self, chunk: VideoChunk) -> Result<Vec<Picture>, Undecoded> {
        self.decoder.decode(&*self.stage.backend, &self.stage.decoders, chunk).await
    }

    /// What becomes of a settled frame.
    fn fate(&mut self, settled: Settled<Origin, Decoded>, decoded_at: Timestamp) -> Frame {
        let Settled { numbers, group, captured, of, fate, unit } = settled;
        let due = match (&mut self.pace, of) {
            (Some(pace), Some(_)) => pace.is_due(captured),
            _ => true,
        };
        let looked = match fate {
            Err(reason) => Err(reason),
            Ok(Decoded { paced: true, .. }) if !due => Err(ShedReason::MaxFps),
            Ok(Decoded { picture: Picture { corrupt: true, .. }, .. }) if !self.losses.shows(Instant::now()) => {
                Err(ShedReason::NotDecoded)
            }
            Ok(Decoded { picture: Picture { image, native, corrupt, .. }, .. }) => {
                let size = FrameSize { width: image.width, height: image.height };
                let (picture, degraded) = (self.watch.look(size, &image.data), self.stage.backend.is_degraded());
                Ok((Facts { unit, native, corrupt, degraded, decoded_at, picture }, image))
            }
        };
        Frame { numbers, group, captured, of, looked }
    }

    /// Publishes the frames that are settled, in order. `all`: frames that the configuration leaves out, too, are accounted for with
    /// them.
    async fn publish_settled(&mut self, all: bool) -> Result<Vec<Delivery>, BusError> {
        let decoded_at = (self.stage.now)();
        let mut detecting = FuturesOrdered::new();
        for settled in self.reorder.settle() {
            let Frame { numbers, group, captured, of, looked } = self.fate(settled, decoded_at);
            let backend = self.stage.backend.clone();
            detecting.push_back(async move {
                let looked = match looked {
                    Err(reason) => Err(reason),
                    Ok((facts, image)) => Ok((facts, backend.detect(image).await)),
                };
                (numbers, group, captured, of, looked)
            });
        }
        let mut deliveries = Vec::with_capacity(detecting.len());
        while let Some((numbers, group, captured, of, looked)) = detecting.next().await {
            self.unfinished.settle_before().await?;
            if std::mem::replace(&mut self.settled, group) != group {
                // A successor lane begins at a group of pictures and knows nothing of earlier frames.
                deliveries.extend(self.account_for_rest(true).await?);
            }
            self.records.next(of, captured);
            match looked {
                Err(reason) => self.shed(numbers, reason),
                Ok((_, Err(error))) => self.lose_frame(numbers, &error),
                Ok((facts, Ok(detected))) => {
                    let is_corrupt = facts.corrupt;
                    let account = self.account.up_to(numbers.start());
                    let Some(record) = self.records.of_frame(numbers.start(), facts, detected, account) else {
                        continue;
                    };
                    match is_corrupt {
                        true => self.losses.shed(ShedReason::NotDecoded, Instant::now()),
                        false => self.losses.processed(),
                    }
                    metrics::DETECT_FRAMES.get().increment(1);
                    deliveries.push(topics::DETECTIONS.send(&self.stage.bus, &record, record.at.captured).await?);
                }
            }
        }
        deliveries.extend(self.account_for_rest(all).await?);
        Ok(deliveries)
    }

    fn shed(&mut self, frames: FrameRange, reason: ShedReason) {
        self.losses.shed(reason, Instant::now());
        self.account.shed(frames, reason);
    }

    fn lose_frame(&mut self, frame: FrameRange, error: &DetectError) {
        self.shed(frame, ShedReason::InferenceFailed);
        tracing::warn!(%error, "frame shed: inference failed");
    }

    /// An accounting record for the latest frames: where some were lost, so that the loss is known early, and at the end of a
    /// group of pictures, since a successor lane begins there and knows nothing of earlier frames.
    async fn account_for_rest(&mut self, all: bool) -> Result<Option<Delivery>, BusError> {
        let Some((sequence, account)) = self.account.of_rest(all) else { return Ok(None) };
        self.unfinished.settle_before().await?;
        let Some(record) = self.records.of_rest(sequence, account) else { return Ok(None) };
        topics::DETECTIONS.send(&self.stage.bus, &record, record.at.captured).await.map(Some)
    }
}

/// A settled frame, or several that never came.
struct Frame {
    numbers: FrameRange,
    group: u64,
    captured: Timestamp,
    of: Option<Origin>,
    looked: Result<(Facts, InputImage), ShedReason>,
}

/// The key frame alone, as a group of its own, so that the decoder holds nothing back.
fn key_frame_of(chunk: &VideoChunk) -> VideoChunk {
    let units = chunk.units.iter().take(1).cloned().collect();
    VideoChunk { units, last: true, ..chunk.clone() }
}
