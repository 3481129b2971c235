use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vedette_core::{AccessUnit, Backoff, CameraId, Codec, FrameSize, SignalLoss, Timestamp, VideoChunk};

use super::absence::Absence;
use super::{Clock, IntakeEvent, IntakeSettings, LossReason};
use crate::chunker::Chunker;
use crate::metrics;
use crate::nal::{UnitKind, unit_kind};

/// Intake was asked to stop, or the receiver is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// Common output of both kinds of intake: chunks units, sends them, counts them.
pub(super) struct Output {
    camera: CameraId,
    out: mpsc::Sender<IntakeEvent>,
    stop: CancellationToken,
    clock: Clock,
    max_duration: Duration,
    max_bytes: usize,
    backoff: Backoff,
    last_epoch: u64,
    chunker: Option<Chunker>,
    codec: Codec,
    chunks_sent: u64,
    /// Present until pictures arrive.
    absence: Option<Absence>,
}

impl Output {
    pub(super) fn new(
        camera: CameraId,
        out: mpsc::Sender<IntakeEvent>,
        stop: CancellationToken,
        settings: &IntakeSettings,
        clock: Clock,
    ) -> Self {
        let backoff = Backoff::new(settings.backoff_min, settings.backoff_max, camera.as_str());
        Self {
            camera,
            out,
            stop,
            clock,
            max_duration: settings.chunk_max_duration,
            max_bytes: settings.chunk_max_bytes,
            backoff,
            last_epoch: 0,
            chunker: None,
            codec: Codec::H264,
            chunks_sent: 0,
            absence: Some(Absence::new(Instant::now())),
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    pub(super) fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Number of chunks sent since intake started.
    pub(super) fn chunks_sent(&self) -> u64 {
        self.chunks_sent
    }

    /// Sends an event; waits while the queue is full.
    pub(super) async fn send(&mut self, event: IntakeEvent) -> Result<(), Gone> {
        metrics::INTAKE_QUEUE_LENGTH.get().set((self.out.max_capacity() - self.out.capacity()) as f64);
        let started = Instant::now();
        let sent = tokio::select! {
            biased;
            sent = self.out.send(event) => sent.map_err(|_| Gone),
            () = self.stop.cancelled() => Err(Gone),
        };
        metrics::INTAKE_QUEUE_WAIT_SECONDS.get().record(started.elapsed().as_secs_f64());
        sent
    }

    /// Begins a new stream session.
    pub(super) async fn connected(&mut self, codec: Codec, frame: FrameSize) -> Result<(), Gone> {
        let epoch = self.next_epoch();
        self.codec = codec;
        self.chunker = Some(Chunker::new(self.camera.clone(), epoch, codec, frame, self.max_duration, self.max_bytes));
        self.send(IntakeEvent::Connected { epoch, codec, frame }).await
    }

    fn next_epoch(&mut self) -> u64 {
        let now = u64::try_from(self.now().as_micros()).unwrap_or(0);
        self.last_epoch = now.max(self.last_epoch + 1);
        self.last_epoch
    }

    /// The following pictures have this size.
    pub(super) async fn resized(&mut self, frame: FrameSize) -> Result<(), Gone> {
        match self.chunker.as_mut().and_then(|chunker| chunker.set_frame(frame)) {
            Some(chunk) => self.send_chunk(chunk).await,
            None => Ok(()),
        }
    }

    /// Adds a unit; one without a picture is counted and skipped.
    pub(super) async fn unit(&mut self, data: bytes::Bytes, captured: Timestamp) -> Result<(), Gone> {
        let Some(chunker) = self.chunker.as_mut() else { return Ok(()) };
        let key = match unit_kind(self.codec, &data) {
            UnitKind::Key => true,
            UnitKind::Delta => false,
            UnitKind::None => {
                refused("no_picture");
                return Ok(());
            }
        };
        let pushed = chunker.push(AccessUnit { data, captured, key });
        if let Some(why) = pushed.refused {
            refused(why.as_str());
        }
        for chunk in pushed.done {
            self.backoff.reset();
            self.send_chunk(chunk).await?;
        }
        Ok(())
    }

    /// The group cannot continue: the open chunk is completed, and units are dropped until the next key frame.
    pub(super) async fn cut(&mut self) -> Result<(), Gone> {
        match self.chunker.as_mut().and_then(Chunker::finish) {
            Some(chunk) => self.send_chunk(chunk).await,
            None => Ok(()),
        }
    }

    /// The stream is lost: sends completed chunks, reports the loss, and waits before the next attempt.
    pub(super) async fn lost(&mut self, reason: LossReason) -> Result<(), Gone> {
        self.cut().await?;
        self.chunker = None;
        metrics::LOSSES.with([reason.as_str()]).increment(1);
        self.absence.get_or_insert_with(|| Absence::new(Instant::now()));
        let retry_in = self.backoff.next_wait();
        self.send(IntakeEvent::Lost { reason, retry_in }).await?;
        self.while_away(tokio::time::sleep(retry_in)).await
    }

    /// Awaits a slow operation, and sends signal-loss heartbeats meanwhile if the camera is offline.
    pub(super) async fn while_away<T>(&mut self, doing: impl Future<Output = T>) -> Result<T, Gone> {
        let (mut doing, stop) = (pin!(doing), self.stop.clone());
        loop {
            let due = self.absence.map(|absence| absence.due());
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Gone),
                done = &mut doing => return Ok(done),
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => self.send_signal_loss().await?,
            }
        }
    }

    async fn send_signal_loss(&mut self) -> Result<(), Gone> {
        if let Some(absence) = &mut self.absence {
            absence.told(Instant::now());
        }
        let loss = SignalLoss { camera: self.camera.clone(), epoch: self.next_epoch(), at: self.now() };
        self.send(IntakeEvent::SignalLoss(loss)).await
    }

    async fn send_chunk(&mut self, chunk: VideoChunk) -> Result<(), Gone> {
        let bytes: usize = chunk.units.iter().map(|unit| unit.data.len()).sum();
        metrics::CHUNKS.get().increment(1);
        metrics::UNITS.get().increment(chunk.units.len() as u64);
        metrics::CHUNK_BYTES.get().increment(bytes as u64);
        self.chunks_sent += 1;
        self.absence = None;
        self.send(IntakeEvent::Chunk(chunk)).await
    }
}

fn refused(reason: &'static str) {
    metrics::UNITS_REFUSED.with([reason]).increment(1);
}
