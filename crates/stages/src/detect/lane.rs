//! One camera's worker in the stage: its decoder, its frame rate, its frames in order, and their accounting.

use std::collections::VecDeque;

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument, Span};
use vedette_bus::{BusError, Delivered, Delivery};
use vedette_core::{
    AccountOnly, CameraId, CameraRecord, FrameAccount, FrameAt, FrameRange, FrameSize, PictureStats, Priority,
    ProcessedFrame, Quality, RecordBody, ShedReason, SignalLoss, StageLatency, Timestamp, VideoChunk, VideoRef,
};
use vedette_detect::{DetectError, Detected, InputImage};
use vedette_picture::PictureWatch;
use vedette_topics::{dead_letters, topics};
use vedette_wire::{DeadLetterReason, PublishedChunk, VideoRecord};

use super::account::Account;
use super::backend::{Picture, Undecoded};
use super::loss_watch::LossWatch;
use super::pace::Pace;
use super::shedding::{Share, Shedding, Waiting};
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
        let VideoRecord::Chunk(PublishedChunk { chunk, .. }) = &mut self.video else { return };
        chunk.units.iter_mut().for_each(|unit| unit.data = Bytes::new());
        self.record.record.value = None;
        self.dropped = true;
    }
}

/// Start of the current group of pictures.
#[derive(Clone, Copy, PartialEq)]
struct GroupStart {
    epoch: u64,
    gop: u64,
    offset: u64,
}

/// Context shared by all records of a chunk.
struct Context<'a> {
    chunk: &'a VideoChunk,
    published: Timestamp,
    partition: u32,
    group_offset: u64,
}

pub(super) struct Lane {
    stage: Detect,
    camera: CameraId,
    /// Notified of each chunk taken from the queue.
    progressed: mpsc::UnboundedSender<CameraId>,
    decoder: WatchedDecoder,
    group: Option<GroupStart>,
    pace: Option<Pace>,
    shedding: Shedding,
    account: Account,
    watch: PictureWatch,
    losses: LossWatch,
    /// The previous chunk, until it is durable.
    before: Option<JoinHandle<Result<(), BusError>>>,
}

impl Lane {
    pub(super) fn new(stage: Detect, camera: CameraId, progressed: mpsc::UnboundedSender<CameraId>) -> Self {
        Self {
            camera,
            progressed,
            decoder: WatchedDecoder::default(),
            group: None,
            pace: stage.max_fps.map(Pace::new),
            shedding: Shedding::new(stage.shed_after),
            account: Account::default(),
            watch: PictureWatch::default(),
            losses: LossWatch::default(),
            before: None,
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

    /// Works until the queue ends, or until the end of the chunk during which `leave` is cancelled.
    pub(super) async fn run(mut self, mut work: mpsc::Receiver<Work>, leave: CancellationToken) {
        while let Some(Some(Work { record, video, done, dropped, span })) = leave.run_until_cancelled(work.recv()).await
        {
            // There may be no listener.
            let _ = self.progressed.send(self.camera.clone());
            let processing = async {
                match video {
                    VideoRecord::Chunk(published) if dropped => self.pass_over(&published.chunk).await,
                    VideoRecord::Chunk(published) => self.process(&record, published).await,
                    VideoRecord::SignalLoss(loss) => self.pass_on(loss).await,
                }
            };
            match processing.instrument(span).await {
                Ok(deliveries) => self.finish_when_durable(done, deliveries),
                Err(error) => {
                    // Later records in the queue must not overtake one that the bus refused.
                    let _ = done.send(Err(error));
                    return;
                }
            }
        }
    }

    /// Accounts for the frames of a chunk whose pictures were dropped.
    async fn pass_over(&mut self, chunk: &VideoChunk) -> Result<Vec<Delivery>, BusError> {
        // The rest of its group of pictures cannot be decoded.
        self.group = None;
        if self.account.begin(chunk) {
            self.shed_all(chunk, ShedReason::Overload);
        }
        Ok(self.account_for_rest(chunk).await?.into_iter().collect())
    }

    fn finish_when_durable(&mut self, done: oneshot::Sender<Result<(), BusError>>, deliveries: Vec<Delivery>) {
        self.before = Some(tokio::spawn(async move {
            let outcome = futures::future::try_join_all(deliveries).await.map(|_| ());
            let _ = done.send(outcome.clone());
            outcome
        }));
    }

    /// Waits until the previous chunk is durable. Nothing is published earlier: records that the bus refused would be republished
    /// behind it, and too late.
    async fn settle_before(&mut self) -> Result<(), BusError> {
        match self.before.take() {
            Some(before) => before.await.unwrap_or(Err(BusError::Closed)),
            None => Ok(()),
        }
    }

    /// Publishes a signal loss on `detections`, in order with the camera's frames.
    async fn pass_on(&mut self, loss: SignalLoss) -> Result<Vec<Delivery>, BusError> {
        if !self.account.begin_signal_loss(loss.epoch) {
            return Ok(Vec::new());
        }
        self.group = None;
        self.settle_before().await?;
        let record = CameraRecord::signal_loss(loss, self.stage.backend.model().clone());
        Ok(vec![topics::DETECTIONS.send(&self.stage.bus, &record, record.at.captured).await?])
    }

    /// Publishes the detections of a chunk's frames and the accounting of the others.
    async fn process(&mut self, record: &Delivered, published: PublishedChunk) -> Result<Vec<Delivery>, BusError> {
        let PublishedChunk { chunk, published } = published;
        if !self.account.begin(&chunk) {
            metrics::DETECT_REPEATED_CHUNKS.get().increment(1);
            return Ok(Vec::new());
        }
        let partition = record.position.partition;
        let mut deliveries = Vec::new();
        match self.group_start(&chunk, record.position.offset) {
            // The stream was joined in the middle of a group of pictures: nothing can be decoded before the next key frame.
            None => self.shed_all(&chunk, ShedReason::JoinedMidGroup),
            Some(start) => {
                let context = Context { chunk: &chunk, published, partition, group_offset: start.offset };
                match self.pictures(&chunk, published).await {
                    Ok(pictures) => deliveries = self.detect_and_publish(&context, pictures).await?,
                    Err(Undecoded::NeedsKeyFrame | Undecoded::StillStuck) => {
                        self.shed_all(&chunk, ShedReason::NotDecoded);
                    }
                    Err(Undecoded::Bad(detail) | Undecoded::Stuck(detail)) => {
                        deliveries
                            .push(self.dead_letter(record, &chunk, DeadLetterReason::Undecodable, &detail).await?);
                    }
                    Err(Undecoded::Panic(detail)) => {
                        deliveries.push(self.dead_letter(record, &chunk, DeadLetterReason::Panic, &detail).await?);
                    }
                }
            }
        }
        deliveries.extend(self.account_for_rest(&chunk).await?);
        Ok(deliveries)
    }

    fn group_start(&mut self, chunk: &VideoChunk, offset: u64) -> Option<GroupStart> {
        if chunk.part == 0 {
            self.group = Some(GroupStart { epoch: chunk.epoch, gop: chunk.gop, offset });
        }
        self.group.filter(|group| group.epoch == chunk.epoch && group.gop == chunk.gop)
    }

    fn shed_all(&mut self, chunk: &VideoChunk, reason: ShedReason) {
        self.shed(FrameRange::counted(chunk.first_sequence, chunk.units.len() as u64), reason);
    }

    fn shed(&mut self, frames: FrameRange, reason: ShedReason) {
        self.losses.shed(reason, std::time::Instant::now());
        self.account.shed(frames, reason);
    }

    async fn dead_letter(
        &mut self,
        record: &Delivered,
        chunk: &VideoChunk,
        reason: DeadLetterReason,
        detail: &str,
    ) -> Result<Delivery, BusError> {
        self.shed_all(chunk, ShedReason::DeadLettered);
        dead_letters::send(&self.stage.bus, STAGE, record, reason, detail).await
    }

    /// The pictures to process, with a shed reason in place of each of the others, in frame order.
    async fn pictures(&mut self, chunk: &VideoChunk, published: Timestamp) -> Result<Vec<Frame>, Undecoded> {
        let waiting = Waiting {
            age: (self.stage.now)().since(published),
            priority: self.stage.registry.camera(&self.camera).map_or(Priority::Normal, |camera| camera.priority),
            open_alert: self.stage.open_alerts.has(&self.camera),
            begins: chunk.part == 0,
        };
        let (share, others) = match self.shedding.share(waiting) {
            Share::All if self.stage.key_frames_only => (Share::KeyFrame, ShedReason::NotKeyFrame),
            share => (share, ShedReason::Overload),
        };
        let mut frames: Vec<Frame> = Vec::with_capacity(chunk.units.len());
        let pictures = match share {
            Share::All => self.decode(chunk.clone()).await?,
            Share::KeyFrame if chunk.part == 0 => self.decode(key_frame_of(chunk)).await?,
            Share::KeyFrame | Share::Nothing => Vec::new(),
        };
        let processed = match share {
            Share::All => chunk.units.len(),
            Share::KeyFrame if chunk.part == 0 => 1,
            Share::KeyFrame | Share::Nothing => 0,
        };
        if let Some(pace) = &mut self.pace {
            let captured: Vec<Timestamp> = chunk.units.iter().map(|unit| unit.captured).collect();
            pace.begin(&captured);
        }
        let is_lost = self.losses.is_lost(self.stage.timeout, std::time::Instant::now());
        let mut pictures = in_order(chunk, pictures);
        for (index, unit) in chunk.units.iter().enumerate() {
            let sequence = chunk.first_sequence + index as u64;
            let due = self.pace.as_mut().is_none_or(|pace| pace.is_due(unit.captured));
            let picture = match pictures.front() {
                Some((of, _)) if *of == sequence => pictures.pop_front().map(|(_, picture)| picture),
                _ => None,
            };
            frames.push(match picture {
                _ if index >= processed => Frame::Shed(others),
                None => Frame::Shed(ShedReason::NotDecoded),
                Some(_) if !due && share == Share::All => Frame::Shed(ShedReason::MaxFps),
                // What a decoder makes up for a picture shows nothing.
                Some(picture) if picture.corrupt && is_lost => Frame::Shed(ShedReason::NotDecoded),
                Some(picture) => self.frame(picture),
            });
        }
        Ok(frames)
    }

    /// Classifies a picture before detection.
    fn frame(&mut self, picture: Picture) -> Frame {
        let Picture { image, captured, native, corrupt, sequence: unit } = picture;
        let size = FrameSize { width: image.width, height: image.height };
        let picture = self.watch.look(size, &image.data);
        Frame::Picture(Facts { unit, captured, native, corrupt, picture }, image)
    }

    async fn decode(&mut self, chunk: VideoChunk) -> Result<Vec<Picture>, Undecoded> {
        self.decoder.decode(&*self.stage.backend, &self.stage.decoders, chunk).await
    }

    async fn detect_and_publish(
        &mut self,
        context: &Context<'_>,
        frames: Vec<Frame>,
    ) -> Result<Vec<Delivery>, BusError> {
        let decoded_at = (self.stage.now)();
        let mut detecting = FuturesOrdered::new();
        for (sequence, frame) in (context.chunk.first_sequence..).zip(frames) {
            let backend = self.stage.backend.clone();
            detecting.push_back(async move {
                let looked = match frame {
                    Frame::Shed(reason) => Err(reason),
                    Frame::Picture(facts, image) => Ok((facts, backend.detect(image).await)),
                };
                (sequence, looked)
            });
        }
        let mut deliveries = Vec::with_capacity(detecting.len());
        while let Some((sequence, looked)) = detecting.next().await {
            self.settle_before().await?;
            match looked {
                Err(reason) => self.shed(FrameRange::counted(sequence, 1), reason),
                Ok((_, Err(error))) => self.lose_frame(sequence, &error),
                Ok((facts, Ok(detected))) => {
                    let is_corrupt = facts.corrupt;
                    let account = self.account.up_to(sequence);
                    let record = self.record(context, sequence, facts, detected, decoded_at, account);
                    match is_corrupt {
                        true => self.losses.shed(ShedReason::NotDecoded, std::time::Instant::now()),
                        false => self.losses.processed(),
                    }
                    metrics::DETECT_FRAMES.get().increment(1);
                    deliveries.push(topics::DETECTIONS.send(&self.stage.bus, &record, record.at.captured).await?);
                }
            }
        }
        Ok(deliveries)
    }

    fn lose_frame(&mut self, sequence: u64, error: &DetectError) {
        self.shed(FrameRange::counted(sequence, 1), ShedReason::InferenceFailed);
        tracing::warn!(%error, "frame shed: inference failed");
    }

    fn record(
        &self,
        context: &Context<'_>,
        sequence: u64,
        facts: Facts,
        detected: Detected,
        decoded_at: Timestamp,
        account: FrameAccount,
    ) -> CameraRecord {
        let Facts { unit, captured, native, corrupt, picture } = facts;
        let published = context.published;
        let Detected { detections, wait, inference } = detected;
        let processed = ProcessedFrame {
            frame: native,
            detections,
            quality: Quality {
                clock_drift: context.chunk.clock_drift,
                corrupt,
                degraded: self.stage.backend.is_degraded(),
                ..Quality::default()
            },
            video: Some(VideoRef { partition: context.partition, offset: context.group_offset, sequence: unit }),
            latency: Some(StageLatency {
                chunk: published.since(captured),
                decode: decoded_at.since(published),
                wait,
                inference,
            }),
            account: Some(account),
            picture,
        };
        let at = FrameAt { epoch: context.chunk.epoch, sequence, captured };
        self.of_camera(at, RecordBody::Processed(processed))
    }

    fn of_camera(&self, at: FrameAt, body: RecordBody) -> CameraRecord {
        CameraRecord { camera: self.camera.clone(), at, model: self.stage.backend.model().clone(), body }
    }

    /// An accounting record for the latest frames: where some were lost, so that the loss is known early, and at the end of a
    /// group of pictures, since a successor lane begins there and knows nothing of earlier frames.
    async fn account_for_rest(&mut self, chunk: &VideoChunk) -> Result<Option<Delivery>, BusError> {
        let Some((sequence, account)) = self.account.of_rest(chunk.last) else { return Ok(None) };
        self.settle_before().await?;
        let index = sequence.checked_sub(chunk.first_sequence).and_then(|index| usize::try_from(index).ok());
        let unit = index.and_then(|index| chunk.units.get(index)).or(chunk.units.last());
        let captured = unit.map_or_else(Timestamp::default, |unit| unit.captured);
        let body = RecordBody::AccountOnly(AccountOnly { account, frame: Some(chunk.frame) });
        let record = self.of_camera(FrameAt { epoch: chunk.epoch, sequence, captured }, body);
        topics::DETECTIONS.send(&self.stage.bus, &record, record.at.captured).await.map(Some)
    }
}

/// The handling of a frame.
enum Frame {
    Picture(Facts, InputImage),
    Shed(ShedReason),
}

/// Facts about a picture other than its content.
struct Facts {
    unit: u64,
    captured: Timestamp,
    native: FrameSize,
    corrupt: bool,
    picture: Option<PictureStats>,
}

/// The key frame alone, as a group of its own, so that the decoder holds nothing back.
fn key_frame_of(chunk: &VideoChunk) -> VideoChunk {
    VideoChunk { units: chunk.units.iter().take(1).cloned().collect(), last: true, ..chunk.clone() }
}

/// The pictures of a chunk by frame number and capture time, both ascending: in a stream with B-frames the decoder returns them
/// in another order than they were numbered in. A picture of an earlier chunk is too late.
fn in_order(chunk: &VideoChunk, mut pictures: Vec<Picture>) -> VecDeque<(u64, Picture)> {
    pictures.retain(|picture| picture.sequence >= chunk.first_sequence);
    let mut numbers: Vec<u64> = pictures.iter().map(|picture| picture.sequence).collect();
    numbers.sort_unstable();
    numbers.dedup();
    pictures.sort_by_key(|picture| (picture.captured, picture.sequence));
    numbers.into_iter().zip(pictures).collect()
}
