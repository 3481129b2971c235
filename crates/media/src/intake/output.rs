#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use vedette_core::{
    Backoff, CameraId, Codec, FrameSize, LossHeartbeats, SignalLoss, SignalLossReason, Span, Timestamp, VideoChunk,
};

use super::source_display::SourceDisplay;
use super::{Clock, IntakeEvent, IntakeSettings, LossReason, NewestEpoch, RefusalReason};
use crate::capture::{Arrival, Captured};
use crate::chunker::{Chunker, Refused};
use crate::fields::Fields;
use crate::metrics;
use crate::nal::{UnitKind, unit_kind};
use crate::parameter_sets::ParameterSets;
use crate::sps::pixel_aspect;

/// Both clocks of this host are read within this time, in so many attempts.
const READ_TOGETHER: Duration = Duration::from_millis(5);
const READINGS: u32 = 5;

/// Intake was asked to stop, or the receiver is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// Common output of both kinds of intake: chunks units, sends them, counts them.
pub(super) struct Output {
    camera: CameraId,
    out: mpsc::Sender<IntakeEvent>,
    stop: CancellationToken,
    clock: Clock,
    began: Instant,
    newest_epoch: NewestEpoch,
    max_duration: Duration,
    max_bytes: usize,
    backoff: Backoff,
    last_epoch: u64,
    chunker: Option<Chunker>,
    codec: Codec,
    /// Size of the pictures as they are encoded.
    coded: FrameSize,
    /// How the source says they are shown.
    display: SourceDisplay,
    sets: ParameterSets,
    fields: Fields,
    chunks_sent: u64,
    /// When the last picture that can be decoded arrived, or else when intake began or connected.
    usable_at: Instant,
    /// How long none may arrive before the camera counts as offline.
    timeout: Duration,
    /// Why the last unusable picture could not be used.
    refused: Option<&'static str>,
    /// When the first unit of the open chunk arrived.
    open_since: Option<Instant>,
    /// Present while the camera has no signal.
    heartbeats: Option<LossHeartbeats>,
    /// Why it has none, as last told by its source.
    reason: SignalLossReason,
}

impl Output {
    pub(super) fn new(
        camera: CameraId,
        out: mpsc::Sender<IntakeEvent>,
        stop: CancellationToken,
        settings: &IntakeSettings,
        clock: Clock,
        newest_epoch: NewestEpoch,
    ) -> Self {
        let backoff = Backoff::new(settings.backoff_min, settings.backoff_max, camera.as_str());
        Self {
            camera,
            out,
            stop,
            clock,
            began: Instant::now(),
            newest_epoch,
            max_duration: settings.chunk_max_duration,
            max_bytes: settings.chunk_max_bytes,
            backoff,
            last_epoch: 0,
            chunker: None,
            codec: Codec::H264,
            coded: FrameSize { width: 1, height: 1 },
            display: SourceDisplay::default(),
            sets: ParameterSets::default(),
            fields: Fields::default(),
            chunks_sent: 0,
            usable_at: Instant::now(),
            timeout: settings.timeout,
            refused: None,
            open_since: None,
            heartbeats: Some(LossHeartbeats::new(Instant::now().into_std())),
            reason: SignalLossReason::Connecting,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Now, by both clocks. They are read again if time passed between the readings: that would look like a clock being set.
    pub(super) fn arrival(&self) -> Arrival {
        let mut before = Instant::now();
        for _ in 0..READINGS {
            let (wall, after) = (self.now(), Instant::now());
            if after.duration_since(before) < READ_TOGETHER {
                return self.arrived(wall, after);
            }
            before = after;
        }
        self.arrived(self.now(), before)
    }

    fn arrived(&self, wall: Timestamp, steady: Instant) -> Arrival {
        let steady = i64::try_from(steady.duration_since(self.began).as_micros()).unwrap_or(i64::MAX);
        Arrival { wall, steady: Span::from_micros(steady) }
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
        if codec != self.codec {
            self.sets = ParameterSets::default();
        }
        (self.codec, self.coded) = (codec, frame);
        self.open_since = None;
        let frame = self.display.of(None).shown(frame);
        self.chunker = Some(Chunker::new(self.camera.clone(), epoch, codec, frame, self.max_duration, self.max_bytes));
        self.send(IntakeEvent::Connected { epoch, codec, frame }).await
    }

    /// How the source says that the following pictures are shown.
    pub(super) fn set_display(&mut self, display: SourceDisplay) {
        self.display = display;
    }

    fn next_epoch(&mut self) -> u64 {
        let now = u64::try_from(self.now().as_micros()).unwrap_or(0);
        let newest = self.last_epoch.max((self.newest_epoch)());
        self.last_epoch = now.max(newest.saturating_add(1));
        self.last_epoch
    }

    /// The following pictures are encoded in this size.
    pub(super) async fn resized(&mut self, frame: FrameSize) -> Result<(), Gone> {
        match std::mem::replace(&mut self.coded, frame) == frame {
            true => Ok(()),
            false => self.cut().await,
        }
    }

    /// The pictures from this key frame on are shown as the source or their parameter sets tell.
    async fn show(&mut self, key_frame: &bytes::Bytes) -> Result<(), Gone> {
        let display = self.display.of(pixel_aspect(self.codec, key_frame));
        let shown = display.shown(self.coded);
        match self.chunker.as_mut().and_then(|chunker| chunker.set_picture(shown, display)) {
            Some(chunk) => self.send_chunk(chunk).await,
            None => Ok(()),
        }
    }

    /// Adds a unit of a network camera, which begins a stream session if its capture time does not continue the session's.
    pub(super) async fn captured_unit(&mut self, data: bytes::Bytes, captured: Captured) -> Result<(), Gone> {
        if captured.new_session && self.chunker.is_some() {
            metrics::CLOCK_RESTARTS.get().increment(1);
            tracing::warn!(captured = %captured.at, "the camera's clock or this host's jumped: a stream session begins");
            self.cut().await?;
            self.connected(self.codec, self.coded).await?;
        }
        if let Some(chunker) = &mut self.chunker {
            chunker.set_drifting(captured.drifting);
        }
        self.unit(data, captured.at).await
    }

    /// Adds a unit; one without a picture is counted and skipped.
    pub(super) async fn unit(&mut self, data: bytes::Bytes, captured: Timestamp) -> Result<(), Gone> {
        for (data, captured) in self.fields.push(self.codec, data, captured) {
            self.picture(data, captured).await?;
        }
        Ok(())
    }

    /// Adds the unit of a picture.
    async fn picture(&mut self, data: bytes::Bytes, captured: Timestamp) -> Result<(), Gone> {
        let Some(epoch) = self.chunker.as_ref().map(Chunker::epoch) else { return Ok(()) };
        self.sets.learn(self.codec, &data);
        let (data, start) = match unit_kind(self.codec, &data) {
            UnitKind::Key(start) => (self.sets.complete(self.codec, data), Some(start)),
            UnitKind::Delta => (data, None),
            UnitKind::None => {
                self.refuse("no_picture");
                return Ok(());
            }
        };
        // A session ends with the first heartbeat after it: its records would be older than the heartbeat's.
        if epoch != self.last_epoch {
            if start.is_none() {
                self.refuse("before_key_frame");
                return Ok(());
            }
            self.connected(self.codec, self.coded).await?;
        }
        if start.is_some() {
            self.show(&data).await?;
        }
        let Some(chunker) = self.chunker.as_mut() else { return Ok(()) };
        let pushed = chunker.push(data, captured, start);
        let has_open_units = chunker.has_open_units();
        match pushed.refused {
            Some(why) => self.refuse(why.as_str()),
            None => (self.usable_at, self.refused) = (Instant::now(), None),
        }
        for chunk in pushed.done {
            self.backoff.reset();
            self.open_since = None;
            self.send_chunk(chunk).await?;
        }
        if has_open_units {
            self.open_since.get_or_insert_with(Instant::now);
        }
        Ok(())
    }

    /// The next unit is the last one before [`Self::cut`].
    pub(super) fn expect_end(&mut self) {
        if let Some(chunker) = &mut self.chunker {
            chunker.expect_end();
        }
    }

    /// Counts a picture that cannot be used.
    pub(super) fn refuse(&mut self, reason: &'static str) {
        metrics::UNITS_REFUSED.with([reason]).increment(1);
        // Pictures behind a key frame that was too large miss a key frame only for that.
        if (self.refused, reason) != (Some(Refused::TooLarge.as_str()), Refused::BeforeKeyFrame.as_str()) {
            self.refused = Some(reason);
        }
    }

    /// Packets came, and no unit of them.
    pub(super) fn refuse_packets(&mut self) {
        self.refused = self.refused.or(Some("no_picture"));
    }

    /// A connection begins: it has the whole timeout for its first usable picture.
    pub(super) fn connecting(&mut self) {
        self.usable_at = Instant::now();
        self.refused = None;
    }

    /// When the camera counts as offline, unless a usable picture arrives before.
    pub(super) fn usable_until(&self) -> Instant {
        self.usable_at + self.timeout
    }

    /// Why no usable picture arrived in time.
    pub(super) fn unusable(&self) -> LossReason {
        match self.refused {
            Some(refused) => LossReason::NoUsablePicture { timeout: self.timeout, refused },
            None => LossReason::Timeout(self.timeout),
        }
    }

    /// The group cannot continue: the open chunk is completed, and units are dropped until the next key frame.
    pub(super) async fn cut(&mut self) -> Result<(), Gone> {
        if let Some((data, captured)) = self.fields.take() {
            self.picture(data, captured).await?;
        }
        self.open_since = None;
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
        self.no_signal(reason.signal_loss());
        let retry_in = self.backoff.next_wait();
        self.send(IntakeEvent::Lost { reason, retry_in }).await?;
        self.meanwhile(tokio::time::sleep(retry_in)).await
    }

    /// The source cannot be used: reports that, and the camera has no signal until intake is stopped.
    pub(super) async fn refused(&mut self, reason: RefusalReason) -> Result<(), Gone> {
        self.no_signal(reason.signal_loss());
        self.send(IntakeEvent::Refused { reason }).await?;
        self.meanwhile(std::future::pending()).await
    }

    /// Awaits an operation. Meanwhile the open chunk is sent when it is as old as chunks get, and signal-loss heartbeats are sent
    /// while the camera is offline.
    pub(super) async fn meanwhile<T>(&mut self, operation: impl Future<Output = T>) -> Result<T, Gone> {
        let (mut operation, stop) = (pin!(operation), self.stop.clone());
        loop {
            let heartbeat = self.heartbeats.map_or_else(|| self.usable_until(), |heartbeats| heartbeats.due().into());
            let flush = self.open_since.map(|since| since + self.max_duration);
            tokio::select! {
                biased;
                () = stop.cancelled() => return Err(Gone),
                done = &mut operation => return Ok(done),
                () = tokio::time::sleep_until(flush.unwrap_or(heartbeat)), if flush.is_some() => self.flush().await?,
                () = tokio::time::sleep_until(heartbeat) => self.send_signal_loss().await?,
            }
        }
    }

    /// Waits for the next picture of a recording, which is at hand: a time-lapse recording is no camera without signal.
    pub(super) async fn until_due(&mut self, due: Instant) -> Result<(), Gone> {
        self.usable_at = self.usable_at.max(due);
        if due.saturating_duration_since(Instant::now()) >= self.timeout / 2 {
            self.flush().await?;
            self.send(IntakeEvent::Waiting).await?;
        }
        self.meanwhile(tokio::time::sleep_until(due)).await
    }

    /// Sends the open chunk; its group goes on.
    async fn flush(&mut self) -> Result<(), Gone> {
        self.open_since = None;
        match self.chunker.as_mut().and_then(Chunker::flush) {
            Some(chunk) => self.send_chunk(chunk).await,
            None => Ok(()),
        }
    }

    /// The camera has no signal since its last usable picture.
    pub(super) fn no_signal(&mut self, reason: SignalLossReason) -> &mut LossHeartbeats {
        self.reason = reason;
        let usable_at = self.usable_at.into_std();
        self.heartbeats.get_or_insert_with(|| LossHeartbeats::new(usable_at))
    }

    async fn send_signal_loss(&mut self) -> Result<(), Gone> {
        if self.heartbeats.is_none() {
            self.reason = self.unusable().signal_loss();
        }
        self.no_signal(self.reason).sent(Instant::now().into_std());
        let (camera, reason) = (self.camera.clone(), self.reason);
        let loss = SignalLoss { camera, epoch: self.next_epoch(), at: self.now(), reason };
        self.send(IntakeEvent::SignalLoss(loss)).await
    }

    async fn send_chunk(&mut self, chunk: VideoChunk) -> Result<(), Gone> {
        let bytes: usize = chunk.units.iter().map(|unit| unit.data.len()).sum();
        metrics::CHUNKS.get().increment(1);
        metrics::UNITS.get().increment(chunk.units.len() as u64);
        metrics::CHUNK_BYTES.get().increment(bytes as u64);
        self.chunks_sent += 1;
        self.heartbeats = None;
        self.send(IntakeEvent::Chunk(chunk)).await
    }
}
