use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::Url;
use vedette_core::{Codec, Span, Timestamp};
use vedette_rtsp::Transport;

use super::observer::{Observer, Received};
use super::report::{CameraClock, ClockSource, ProbeReport};
use super::{MOST_BYTES, MOST_FRAMES, ProbeError, ProbeSettings, authentication, file};
use crate::capture::{Arrival, CaptureClock, TimeSource};
use crate::chunker::Refused;
use crate::intake::source_display::SourceDisplay;
use crate::intake::stream::{Stream, StreamItem};
use crate::{Clock, Credentials, LossReason};

/// Looks at a network camera.
pub(super) async fn probe(
    url: &Url,
    credentials: Option<Credentials>,
    settings: &ProbeSettings,
    clock: Clock,
    stop: CancellationToken,
) -> Result<ProbeReport, ProbeError> {
    let (mut report, key) = look(url, credentials, settings, clock, &stop).await?;
    let Some((codec, key)) = report.codec.zip(key) else { return Ok(report) };
    let work = tokio::task::spawn_blocking(move || {
        file::describe_key(codec, key, SourceDisplay::default(), &mut report);
        report
    });
    work.await.map_err(|error| LossReason::BrokenStream(error.to_string()).into())
}

async fn look(
    url: &Url,
    credentials: Option<Credentials>,
    settings: &ProbeSettings,
    clock: Clock,
    stop: &CancellationToken,
) -> Result<(ProbeReport, Option<Bytes>), ProbeError> {
    let opened = tokio::select! {
        opened = Stream::open(url, credentials.as_ref(), settings.timeout) => opened,
        () = stop.cancelled() => return Err(ProbeError::Stopped),
    };
    let mut report = ProbeReport { is_camera: true, ..ProbeReport::default() };
    let mut stream = match opened {
        Ok(stream) => stream,
        Err(LossReason::UnsupportedCodec(encoding)) => return Ok((ProbeReport { encoding, ..report }, None)),
        Err(reason) => return Err(reason.into()),
    };
    let told = stream.description().clone();
    (report.encoding, report.beside, report.rates.told) = (told.encoding, told.other_media, told.frame_rate);
    report.sets_described = told.has_parameter_sets;
    report.transport = Some(if told.transport == Transport::Udp { "UDP" } else { "TCP" });
    let watched = watch(&mut stream, told.codec, settings, clock, stop).await?;
    drop(stream);
    watched.observer.fill(&mut report);
    report.clock = Some(watched.clock);
    report.authentication = tokio::select! {
        biased;
        () = stop.cancelled() => None,
        schemes = authentication::schemes(url, settings.timeout) => schemes,
    };
    Ok((report, watched.key))
}

/// Why no frame came within the time.
fn silence(timeout: Duration, too_large: bool) -> LossReason {
    match too_large {
        true => LossReason::NoUsablePicture { timeout, refused: Refused::TooLarge.as_str() },
        false => LossReason::Timeout(timeout),
    }
}

struct Watched {
    observer: Observer,
    clock: CameraClock,
    key: Option<Bytes>,
}

async fn watch(
    stream: &mut Stream,
    codec: Codec,
    settings: &ProbeSettings,
    clock: Clock,
    stop: &CancellationToken,
) -> Result<Watched, ProbeError> {
    let mut observer = Observer::new(codec);
    let (mut capture, mut key, mut times) = (CaptureClock::default(), None, Times::default());
    let began = Instant::now();
    let (mut ends, mut too_large) = (began + settings.timeout, false);
    let lost = loop {
        if observer.bytes() >= MOST_BYTES || observer.frames() >= MOST_FRAMES {
            break None;
        }
        let item = tokio::select! {
            item = stream.next() => item,
            () = tokio::time::sleep_until(ends) => break Some(silence(settings.timeout, too_large)),
            () = stop.cancelled() => break None,
        };
        match item {
            Err(reason) => break Some(reason),
            Ok(StreamItem::Report { time, wall }) => {
                times.report(time, wall, (clock)());
                capture.report(time, wall);
            }
            Ok(StreamItem::TooLarge) => {
                too_large = true;
                observer.too_large();
            }
            Ok(StreamItem::Unit { data, time, lost }) => {
                let now = Instant::now();
                if observer.frames() == 0 {
                    ends = now + settings.length;
                }
                let steady = Span::from_micros(i64::try_from((now - began).as_micros()).unwrap_or(i64::MAX));
                let is_key = observer.add(&Received { data: &data, time, arrival: Some(steady), lost });
                let captured = capture.captured(time, Arrival { wall: (clock)(), steady }, is_key);
                times.frame(time, captured.at);
                times.jumps += u64::from(captured.new_session);
                times.source = captured.source;
                if is_key {
                    key.get_or_insert(data);
                }
            }
        }
    };
    if observer.frames() == 0 {
        return Err(lost.map_or(ProbeError::Stopped, ProbeError::Lost));
    }
    Ok(Watched { observer, clock: times.camera_clock(), key })
}

/// The camera's clock against this host's.
#[derive(Debug, Default)]
struct Times {
    /// Stream time and capture time of the last frame.
    last: Option<(Span, Timestamp)>,
    offset: Option<Span>,
    source: TimeSource,
    jumps: u64,
}

impl Times {
    fn frame(&mut self, time: Span, captured: Timestamp) {
        self.last = Some((time, captured));
    }

    /// The camera's clock shows `wall` at `time`; when no frame tells what this host's shows then, the present stands for it.
    fn report(&mut self, time: Span, wall: Timestamp, now: Timestamp) {
        let ours = self.last.map_or(now, |(last, captured)| {
            captured + Span::from_micros(time.as_micros().saturating_sub(last.as_micros()))
        });
        self.offset = Some(wall.since(ours));
    }

    fn camera_clock(&self) -> CameraClock {
        let source = match self.source {
            TimeSource::Camera => ClockSource::Camera,
            TimeSource::Arrivals => ClockSource::Arrivals,
        };
        CameraClock { offset: self.offset, source, jumps: self.jumps }
    }
}
