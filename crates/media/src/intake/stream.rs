//! The RTSP client, for a look at a camera without a stream session.

use std::time::Duration;

use bytes::Bytes;
use url::Url;
use vedette_core::{Span, Timestamp};
use vedette_rtsp::{Description, Item, Session};

use super::rtsp::{connect, reason, unusable};
use super::{Credentials, IntakeSettings, LossReason};

/// What comes from a camera.
pub(crate) enum StreamItem {
    /// An encoded frame, its presentation time, and the RTP packets lost before it.
    Unit { data: Bytes, time: Span, lost: u32 },
    /// A sender report.
    Report { time: Span, wall: Timestamp },
    /// A frame is not given, as it is too large.
    TooLarge,
}

/// A stream that plays.
pub(crate) struct Stream(Session);

impl Stream {
    /// Connects and plays the video.
    pub(crate) async fn open(
        url: &Url,
        credentials: Option<&Credentials>,
        timeout: Duration,
    ) -> Result<Self, LossReason> {
        if let Some(reason) = unusable(url) {
            return Err(LossReason::Protocol(reason.to_string()));
        }
        let settings = IntakeSettings { timeout, ..IntakeSettings::default() };
        connect(url, credentials, &settings).await.map(Self).map_err(reason)
    }

    /// What the camera describes.
    pub(crate) fn description(&self) -> &Description {
        self.0.description()
    }

    /// The next frame or report.
    pub(crate) async fn next(&mut self) -> Result<StreamItem, LossReason> {
        Ok(match self.0.next().await.map_err(reason)? {
            Item::Unit(unit) => StreamItem::Unit { data: unit.data, time: unit.time.span(), lost: unit.lost },
            Item::TooLarge => StreamItem::TooLarge,
            Item::Report(report) => StreamItem::Report { time: report.time.span(), wall: report.wall() },
        })
    }
}
