use futures::StreamExt;
use retina::client::{Demuxed, PlayOptions, Session, SessionOptions, SetupOptions};
use retina::codec::{CodecItem, FrameFormat, ParametersRef, VideoFrame};
use retina::rtcp::ReceivedCompoundPacket;
use retina::{NtpTimestamp, UNIX_EPOCH};
use tokio::time::{timeout, timeout_at};
use url::Url;
use vedette_core::{Codec, FrameSize, Span, Timestamp};

use super::output::{Gone, Output};
use super::{Credentials, IntakeEvent, IntakeSettings, LossReason, RefusalReason};
use crate::capture::{CaptureClock, TimeSource};
use crate::metrics;

/// Frames whose time goes back by less, microseconds, are B-frames; by more, the camera's stream time jumped.
const REORDERED: i64 = 500_000;

/// Receives a network camera over RTSP with RTP interleaved in TCP, and reconnects after every loss.
pub(super) async fn follow(
    output: &mut Output,
    settings: &IntakeSettings,
    url: Url,
    credentials: Option<Credentials>,
) -> Result<(), Gone> {
    if let Some(reason) = unusable(&url) {
        output.send(IntakeEvent::Refused { reason }).await?;
        return output.meanwhile(std::future::pending()).await;
    }
    loop {
        let connecting = timeout(settings.timeout, connect(&url, credentials.as_ref()));
        let reason = match output.meanwhile(connecting).await? {
            Err(_) => LossReason::Timeout(settings.timeout),
            Ok(Err(reason)) => reason,
            Ok(Ok((stream, demuxed))) => {
                let mut connection = Connection {
                    codec: stream.1,
                    index: stream.0,
                    size: None,
                    clock: CaptureClock::default(),
                    last_stream: None,
                };
                connection.read(output, demuxed).await?
            }
        };
        output.lost(reason).await?;
    }
}

pub(super) fn unusable(url: &Url) -> Option<RefusalReason> {
    if url.scheme() != "rtsp" {
        return Some(RefusalReason::Address("it has to start with rtsp://"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Some(RefusalReason::Address("it names no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some(RefusalReason::Address("user and password belong into credentials, as addresses are shown"));
    }
    None
}

pub(super) async fn connect(
    url: &Url,
    credentials: Option<&Credentials>,
) -> Result<((usize, Codec), Demuxed), LossReason> {
    let options = SessionOptions::default()
        .creds(credentials.map(Credentials::for_retina))
        .user_agent(concat!("vedette/", env!("CARGO_PKG_VERSION")).into());
    let mut session = Session::describe(url.clone(), options).await.map_err(|error| reason(&error))?;
    let mut video = session.streams().iter().enumerate().filter(|(_, stream)| stream.media() == "video");
    let Some((first, stream)) = video.next() else { return Err(LossReason::NoVideo) };
    let first = match codec_of(stream.encoding_name()) {
        Some(codec) => (first, codec),
        None => video
            .find_map(|(index, stream)| Some((index, codec_of(stream.encoding_name())?)))
            .ok_or_else(|| LossReason::UnsupportedCodec(stream.encoding_name().to_owned()))?,
    };
    drop(video);
    let setup = SetupOptions::default().frame_format(FrameFormat::SIMPLE);
    session.setup(first.0, setup).await.map_err(|error| reason(&error))?;
    let playing = session.play(PlayOptions::default()).await.map_err(|error| reason(&error))?;
    Ok((first, playing.demuxed().map_err(|error| reason(&error))?))
}

pub(super) fn codec_of(encoding: &str) -> Option<Codec> {
    match encoding {
        "h264" => Some(Codec::H264),
        "h265" => Some(Codec::H265),
        "jpeg" => Some(Codec::Jpeg),
        _ => None,
    }
}

/// One connection, from its first frame to its loss.
struct Connection {
    codec: Codec,
    index: usize,
    size: Option<FrameSize>,
    clock: CaptureClock,
    last_stream: Option<Span>,
}

impl Connection {
    async fn read(&mut self, output: &mut Output, mut demuxed: Demuxed) -> Result<LossReason, Gone> {
        output.connecting();
        loop {
            // Whatever arrives, only a usable picture counts.
            let item = timeout_at(output.usable_until(), demuxed.next());
            match output.meanwhile(item).await? {
                Err(_) => return Ok(output.unusable()),
                Ok(None) => return Ok(LossReason::StreamEnded),
                Ok(Some(Err(error))) => return Ok(reason(&error)),
                Ok(Some(Ok(CodecItem::Rtcp(packet)))) => {
                    for (stream, wall) in reported(&packet) {
                        self.clock.report(stream, wall);
                    }
                }
                Ok(Some(Ok(CodecItem::VideoFrame(frame)))) => {
                    let size = match demuxed.streams().get(self.index).and_then(retina::client::Stream::parameters) {
                        Some(ParametersRef::Video(video)) => {
                            let (width, height) = video.pixel_dimensions();
                            Some(FrameSize { width, height })
                        }
                        _ => None,
                    };
                    if let Some(lost) = self.frame(output, frame, size).await? {
                        return Ok(lost);
                    }
                }
                Ok(Some(Ok(_))) => {}
            }
        }
    }

    /// Processes a frame; returns the reason when the connection has to be dropped.
    async fn frame(
        &mut self,
        output: &mut Output,
        frame: VideoFrame,
        size: Option<FrameSize>,
    ) -> Result<Option<LossReason>, Gone> {
        let Some(size) = size.filter(|size| size.width > 0 && size.height > 0) else {
            // Parameter sets have not arrived yet, or say no size: the frame could not be decoded.
            output.refuse("no_parameter_sets");
            return Ok(None);
        };
        if self.size.is_none() {
            output.connected(self.codec, size).await?;
        } else if self.size != Some(size) {
            output.resized(size).await?;
        }
        self.size = Some(size);
        if frame.loss() > 0 {
            metrics::RTP_PACKETS_LOST.get().increment(u64::from(frame.loss()));
            if !frame.is_random_access_point() {
                output.cut().await?;
            }
        }
        let stream = stream_time(frame.timestamp());
        let back =
            self.last_stream.replace(stream).map_or(0, |last| last.as_micros().saturating_sub(stream.as_micros()));
        if (1..REORDERED).contains(&back) {
            return Ok(Some(LossReason::BFrames));
        }
        let key = frame.is_random_access_point();
        let captured = self.clock.captured(stream, output.arrival(), key);
        if captured.source == TimeSource::Arrivals {
            metrics::CAPTURE_TIMES_BY_ARRIVAL.get().increment(1);
        }
        output.captured_unit(frame.into_data().into(), captured).await?;
        Ok(None)
    }
}

/// Stream time and the camera's clock of each sender report.
pub(super) fn reported(packet: &ReceivedCompoundPacket) -> impl Iterator<Item = (Span, Timestamp)> {
    let stream = packet.rtp_timestamp().map(stream_time);
    let reports = packet.pkts().filter_map(|packet| packet.as_sender_report().ok().flatten());
    reports.filter_map(move |report| Some((stream?, wall_of(report.ntp_timestamp()))))
}

/// Time since the stream's first frame.
pub(super) fn stream_time(timestamp: retina::Timestamp) -> Span {
    let micros = i128::from(timestamp.elapsed()) * 1_000_000 / i128::from(timestamp.clock_rate().get());
    Span::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// NTP time: seconds since 1900 in the upper 32 bits, fractions of a second in the lower.
fn wall_of(ntp: NtpTimestamp) -> Timestamp {
    let since = ntp.0.wrapping_sub(UNIX_EPOCH.0);
    let micros = (since >> 32) * 1_000_000 + (((since & 0xffff_ffff) * 1_000_000) >> 32);
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// The kind of a retina error. Of its text only the first line is kept, which names no peer, request or credential.
pub(super) fn reason(error: &retina::Error) -> LossReason {
    match error.status_code() {
        Some(401 | 403) => return LossReason::Unauthorized,
        Some(404 | 454) => return LossReason::NotFound,
        Some(status @ 300..) => return LossReason::Status(status),
        _ => {}
    }
    let text = error.to_string();
    let line: String = text.lines().next().unwrap_or_default().chars().take(160).collect();
    if line.starts_with("Unable to connect") {
        LossReason::Unreachable(line)
    } else if line.starts_with("Unsupported") {
        LossReason::BrokenStream(line)
    } else if line.starts_with("Timeout") {
        LossReason::BrokenStream("the camera stopped answering".into())
    } else {
        LossReason::BrokenStream(line)
    }
}
