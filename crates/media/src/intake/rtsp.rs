use tokio::time::timeout_at;
use url::Url;
use vedette_core::FrameSize;
use vedette_rtsp::{Error, Item, Session, Unit};

use super::output::{Gone, Output};
use super::{Credentials, IntakeSettings, LossReason, RefusalReason};
use crate::capture::{CaptureClock, TimeSource};
use crate::chunker::Refused;
use crate::metrics;
use crate::nal::is_key;

/// Receives a network camera over RTSP, and reconnects after every loss.
pub(super) async fn follow(
    output: &mut Output,
    settings: &IntakeSettings,
    url: Url,
    credentials: Option<Credentials>,
) -> Result<(), Gone> {
    if let Some(reason) = unusable(&url) {
        return output.refused(reason).await;
    }
    loop {
        let reason = match output.meanwhile(connect(&url, credentials.as_ref(), settings)).await? {
            Err(error) => reason(error),
            Ok(session) => {
                let mut connection = Connection { size: None, clock: CaptureClock::default() };
                connection.read(output, session).await?
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
    settings: &IntakeSettings,
) -> Result<Session, Error> {
    let client = vedette_rtsp::Settings {
        timeout: settings.timeout,
        user_agent: concat!("vedette/", env!("CARGO_PKG_VERSION")).to_owned(),
        ..vedette_rtsp::Settings::default()
    };
    vedette_rtsp::connect(url, credentials, &client).await
}

/// One connection, from its first picture to its loss.
struct Connection {
    size: Option<FrameSize>,
    clock: CaptureClock,
}

impl Connection {
    async fn read(&mut self, output: &mut Output, mut session: Session) -> Result<LossReason, Gone> {
        output.connecting();
        let mut packets = 0;
        loop {
            // Whatever arrives, only a usable picture counts.
            let item = timeout_at(output.usable_until(), session.next());
            match output.meanwhile(item).await? {
                Err(_) => {
                    if session.packets() > packets {
                        output.refuse_packets();
                    }
                    return Ok(output.unusable());
                }
                Ok(Err(error)) => return Ok(reason(error)),
                Ok(Ok(Item::Report(report))) => self.clock.report(report.time.span(), report.wall()),
                Ok(Ok(Item::Unit(unit))) => {
                    packets = session.packets();
                    self.unit(output, &session, unit).await?;
                }
                Ok(Ok(Item::TooLarge)) => output.refuse(Refused::TooLarge.as_str()),
            }
        }
    }

    async fn unit(&mut self, output: &mut Output, session: &Session, unit: Unit) -> Result<(), Gone> {
        let Some(size) = unit.size else {
            // Parameter sets have not arrived yet, or say no size: the frame could not be decoded.
            output.refuse("no_parameter_sets");
            return Ok(());
        };
        if self.size.is_none() {
            output.connected(session.description().codec, size).await?;
        } else if self.size != Some(size) {
            output.resized(size).await?;
        }
        self.size = Some(size);
        if unit.jumped {
            tracing::debug!("the camera's stream time jumped");
        }
        if unit.lost > 0 {
            metrics::RTP_PACKETS_LOST.get().increment(u64::from(unit.lost));
            output.cut().await?;
        }
        let key = is_key(session.description().codec, &unit.data);
        let captured = self.clock.captured(unit.time.span(), output.arrival(), key);
        if captured.source == TimeSource::Arrivals {
            metrics::CAPTURE_TIMES_BY_ARRIVAL.get().increment(1);
        }
        output.captured_unit(unit.data, captured).await
    }
}

/// What an error of the client means for the camera's signal.
pub(super) fn reason(error: Error) -> LossReason {
    match error {
        Error::Unreachable(why) => LossReason::Unreachable(why),
        Error::Timeout(after) => LossReason::Timeout(after),
        Error::Unauthorized => LossReason::Unauthorized,
        Error::NotFound => LossReason::NotFound,
        Error::Status(status) => LossReason::Status(status),
        Error::Redirect(why) => LossReason::Redirected(why.to_string()),
        Error::Transport(why) => LossReason::Transport(why.to_string()),
        Error::NoVideo => LossReason::NoVideo,
        Error::UnsupportedCodec(name) => LossReason::UnsupportedCodec(name),
        Error::NoPictureSize => LossReason::PictureSize,
        Error::Ended => LossReason::StreamEnded,
        Error::Broken(why) => LossReason::BrokenStream(format!("{why}; check the camera's power and network")),
        other @ (Error::Address(_)
        | Error::Authentication(_)
        | Error::NotRtsp
        | Error::TooLarge { .. }
        | Error::Protocol(_)
        | Error::TooManyBadPackets { .. }) => LossReason::Protocol(other.to_string()),
    }
}
