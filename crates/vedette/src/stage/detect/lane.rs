//! One camera's way through the stage: its decoder, its pace, its frames in order.

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::FuturesOrdered;
use tokio::sync::mpsc;
use vedette_bus::{BusError, Delivered, Delivery, Record, SharedBus};
use vedette_core::{
    CameraId, Codec, FrameDetections, FrameSize, PictureStats, Quality, Span, StageLatency, Timestamp, VideoChunk,
    VideoRef,
};
use vedette_detect::{DetectError, Detected, InputImage};
use vedette_media::{DecodedFrame, Decoder, DecoderSettings, Keep, PictureWatch};
use vedette_wire::{DeadLetterReason, PublishedChunk, encode_detections};

use super::{Detect, Finished, STAGE};
use crate::{clock, dead_letters, topics};

/// A record for a lane.
pub(super) struct Work {
    pub(super) record: Delivered,
    pub(super) published: PublishedChunk,
}

/// Where the group of pictures in hand started.
#[derive(Clone, Copy, PartialEq)]
struct GroupStart {
    epoch: u64,
    gop: u64,
    offset: u64,
}

/// What is known of a frame while its objects are looked for.
struct Facts {
    captured: Timestamp,
    sequence: u64,
    native: FrameSize,
    corrupt: bool,
    picture: Option<PictureStats>,
}

pub(super) struct Lane {
    stage: Detect,
    camera: CameraId,
    finished: mpsc::UnboundedSender<Finished>,
    decoder: Option<(Codec, Decoder)>,
    group: Option<GroupStart>,
    next_due: Option<Timestamp>,
    /// Frames lost since the last that was published.
    shed: u32,
    pictures: PictureWatch,
}

impl Lane {
    pub(super) fn new(stage: Detect, camera: CameraId, finished: mpsc::UnboundedSender<Finished>) -> Self {
        Self {
            stage,
            camera,
            finished,
            decoder: None,
            group: None,
            next_due: None,
            shed: 0,
            pictures: PictureWatch::default(),
        }
    }

    pub(super) async fn run(mut self, mut work: mpsc::Receiver<Work>) {
        while let Some(Work { record, published }) = work.recv().await {
            let (partition, offset) = (record.position.partition, record.position.offset);
            match self.process(&record, published).await {
                Ok(deliveries) => self.finish_when_durable(partition, offset, deliveries),
                Err(error) => {
                    let _ = self.finished.send(Finished { partition, offset, outcome: Err(error) });
                }
            }
        }
    }

    fn finish_when_durable(&self, partition: u32, offset: u64, deliveries: Vec<Delivery>) {
        let finished = self.finished.clone();
        tokio::spawn(async move {
            let outcome = futures::future::try_join_all(deliveries).await.map(|_| ());
            let _ = finished.send(Finished { partition, offset, outcome });
        });
    }

    /// Publishes the detections of a chunk's frames, or puts the chunk aside.
    async fn process(&mut self, record: &Delivered, published: PublishedChunk) -> Result<Vec<Delivery>, BusError> {
        let PublishedChunk { chunk, published } = published;
        let frames = chunk.units.len() as u64;
        let Some(start) = self.group_start(&chunk, record.position.offset) else {
            // We joined in the middle of a group of pictures: nothing can be decoded before its next key frame.
            metrics::counter!("vedette_frames_shed_total", "stage" => STAGE, "reason" => "joined_mid_group")
                .increment(frames);
            return Ok(Vec::new());
        };
        let decoded = match self.decode(chunk.clone()).await {
            Ok(decoded) => decoded,
            Err((reason, detail)) => {
                let delivery = dead_letters::send(&self.stage.bus, STAGE, record, reason, &detail).await?;
                metrics::counter!("vedette_frames_dead_lettered_total", "stage" => STAGE).increment(frames);
                return Ok(vec![delivery]);
            }
        };
        if self.stage.key_frames_only {
            let others = frames.saturating_sub(decoded.len() as u64);
            metrics::counter!("vedette_frames_shed_total", "stage" => STAGE, "reason" => "no_key_frame")
                .increment(others);
        }
        let decoded_at = clock::now();
        self.detect_and_publish(&chunk, published, decoded_at, start, record.position.partition, decoded).await
    }

    fn group_start(&mut self, chunk: &VideoChunk, offset: u64) -> Option<GroupStart> {
        if chunk.part == 0 {
            self.group = Some(GroupStart { epoch: chunk.epoch, gop: chunk.gop, offset });
        }
        self.group.filter(|group| group.epoch == chunk.epoch && group.gop == chunk.gop)
    }

    async fn decode(&mut self, chunk: VideoChunk) -> Result<Vec<DecodedFrame>, (DeadLetterReason, String)> {
        let permit = self.stage.decoders.clone().acquire_owned().await;
        let decoder = self.decoder.take();
        let keep = if self.stage.key_frames_only { Keep::KeyFrames } else { Keep::All };
        let settings = DecoderSettings { output: self.stage.input, keep, ..DecoderSettings::default() };
        let codec = chunk.codec;
        let decoding = tokio::task::spawn_blocking(move || {
            let mut decoder = match decoder {
                Some((of, decoder)) if of == codec => decoder,
                _ => Decoder::new(codec, settings),
            };
            let frames = decoder.decode(&chunk);
            (decoder, frames)
        });
        let outcome = decoding.await;
        drop(permit);
        match outcome {
            Ok((decoder, frames)) => {
                self.decoder = Some((codec, decoder));
                frames.map_err(|error| (DeadLetterReason::Undecodable, error.to_string()))
            }
            Err(panic) => Err((DeadLetterReason::Panic, format!("the decoder panicked: {panic}"))),
        }
    }

    /// Whether a frame captured at `captured` is looked at, when only so many a second are.
    fn is_due(&mut self, captured: Timestamp) -> bool {
        let Some(fps) = self.stage.max_fps else { return true };
        let period = Span::from_micros((1e6 / fps) as i64);
        // A tenth of slack, so that a camera at just this rate loses no frames to jitter.
        let slack = Span::from_micros(period.as_micros() / 10);
        let due = self
            .next_due
            .is_none_or(|due| captured + slack >= due || due.since(captured).as_micros() > 2 * period.as_micros());
        if due {
            let steady = self.next_due.map_or(captured, |due| due.max(captured - period)) + period;
            self.next_due = Some(steady);
        }
        due
    }

    async fn detect_and_publish(
        &mut self,
        chunk: &VideoChunk,
        published: Timestamp,
        decoded_at: Timestamp,
        start: GroupStart,
        partition: u32,
        decoded: Vec<DecodedFrame>,
    ) -> Result<Vec<Delivery>, BusError> {
        let mut detecting = FuturesOrdered::new();
        for frame in decoded {
            if !self.is_due(frame.captured) {
                metrics::counter!("vedette_frames_shed_total", "stage" => STAGE, "reason" => "max_fps").increment(1);
                continue;
            }
            let detector = self.stage.detector.clone();
            let facts = Facts {
                captured: frame.captured,
                sequence: frame.sequence,
                native: frame.frame,
                corrupt: frame.corrupt,
                picture: self.pictures.look(&frame.image),
            };
            let size = frame.image.size;
            let image =
                InputImage { data: frame.image.data, width: size.width, height: size.height, native: frame.frame };
            detecting.push_back(async move { (facts, detector.detect(image).await) });
        }
        let mut deliveries = Vec::with_capacity(detecting.len());
        while let Some((facts, detected)) = detecting.next().await {
            let Facts { captured, sequence, native, corrupt, picture } = facts;
            let Detected { detections, wait, inference, .. } = match detected {
                Ok(detected) => detected,
                Err(error) => {
                    self.lose_frame(&error);
                    continue;
                }
            };
            let latency =
                StageLatency { chunk: published.since(captured), decode: decoded_at.since(published), wait, inference };
            let quality =
                Quality { corrupt, degraded: self.stage.degraded, shed_frames: self.shed, ..Quality::default() };
            let record = FrameDetections {
                camera: self.camera.clone(),
                epoch: chunk.epoch,
                sequence,
                captured,
                frame: native,
                detections,
                model: self.stage.model.clone(),
                quality,
                video: Some(VideoRef { partition, offset: start.offset, sequence }),
                latency: Some(latency),
                picture,
            };
            self.shed = 0;
            metrics::counter!("vedette_detect_frames_total").increment(1);
            deliveries.push(publish(&self.stage.bus, &record).await?);
        }
        Ok(deliveries)
    }

    fn lose_frame(&mut self, error: &DetectError) {
        self.shed += 1;
        metrics::counter!("vedette_frames_shed_total", "stage" => STAGE, "reason" => "inference_failed").increment(1);
        tracing::warn!(camera = %self.camera, %error, "frame shed: inference failed");
    }
}

async fn publish(bus: &SharedBus, detections: &FrameDetections) -> Result<Delivery, BusError> {
    let record = Record {
        key: Bytes::copy_from_slice(detections.camera.as_str().as_bytes()),
        value: Some(encode_detections(detections)),
        headers: Vec::new(),
        timestamp_ms: detections.captured.as_millis(),
    };
    bus.send(topics::DETECTIONS, record).await
}
