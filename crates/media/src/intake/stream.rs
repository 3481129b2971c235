//! The RTSP client, for a look at a camera without a stream session.

use bytes::Bytes;
use futures::StreamExt;
use retina::client::Demuxed;
use retina::codec::CodecItem;
use url::Url;
use vedette_core::{Codec, Span, Timestamp};

use super::rtsp::{codec_of, connect, reason, reported, stream_time, unusable};
use super::{Credentials, LossReason};

/// What a camera offers.
#[derive(Debug, Clone)]
pub(crate) struct Offer {
    pub(crate) codec: Codec,
    /// The codec as the description names it.
    pub(crate) encoding: String,
    /// Frames per second, if the description tells them.
    pub(crate) rate: Option<f64>,
    /// Other streams.
    pub(crate) beside: Vec<String>,
    /// The description has parameter sets.
    pub(crate) sets: bool,
}

/// What comes from a camera.
pub(crate) enum StreamItem {
    /// An encoded frame, its presentation time, and the RTP packets lost before it.
    Unit { data: Bytes, time: Span, lost: u32 },
    /// A sender report.
    Report { time: Span, wall: Timestamp },
}

/// A stream that plays.
pub(crate) struct Stream {
    demuxed: Demuxed,
    index: usize,
    codec: Codec,
    reports: Vec<StreamItem>,
}

impl Stream {
    /// Connects and plays the video.
    pub(crate) async fn open(url: &Url, credentials: Option<&Credentials>) -> Result<Self, LossReason> {
        if let Some(reason) = unusable(url) {
            return Err(LossReason::BrokenStream(reason.to_string()));
        }
        let ((index, codec), demuxed) = connect(url, credentials).await?;
        Ok(Self { demuxed, index, codec, reports: Vec::new() })
    }

    /// What the camera describes.
    pub(crate) fn offer(&self) -> Offer {
        let streams = self.demuxed.streams();
        let video = streams.get(self.index);
        let others = streams.iter().enumerate().filter(|(index, _)| *index != self.index).take(64);
        Offer {
            codec: self.codec,
            encoding: video.map_or_else(String::new, |stream| stream.encoding_name().to_owned()),
            rate: video.and_then(|stream| stream.framerate()).map(f64::from).filter(|rate| *rate > 0.0),
            beside: others.map(|(_, stream)| format!("{} ({})", stream.media(), stream.encoding_name())).collect(),
            sets: codec_of("jpeg") != Some(self.codec) && video.is_some_and(|stream| stream.parameters().is_some()),
        }
    }

    /// The next frame or report.
    pub(crate) async fn next(&mut self) -> Result<StreamItem, LossReason> {
        loop {
            if let Some(report) = self.reports.pop() {
                return Ok(report);
            }
            match self.demuxed.next().await {
                None => return Err(LossReason::StreamEnded),
                Some(Err(error)) => return Err(reason(&error)),
                Some(Ok(CodecItem::Rtcp(packet))) => {
                    self.reports = reported(&packet).map(|(time, wall)| StreamItem::Report { time, wall }).collect();
                }
                Some(Ok(CodecItem::VideoFrame(frame))) => {
                    let (lost, time) = (u32::from(frame.loss()), stream_time(frame.timestamp()));
                    return Ok(StreamItem::Unit { data: frame.into_data().into(), time, lost });
                }
                Some(Ok(_)) => {}
            }
        }
    }
}
