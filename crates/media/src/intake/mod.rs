pub(crate) mod demux;
mod event;
mod file;
mod inspect;
mod output;
mod reader;
mod rtsp;
mod settings;
pub(crate) mod source_display;
pub(crate) mod stream;

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use vedette_core::CameraId;

pub use event::{IntakeEvent, LossReason, RefusalReason};
pub use inspect::{Recording, inspect};
use output::{Gone, Output};
pub use settings::{Clock, IntakeSettings, IntakeSource, NewestEpoch};
pub use vedette_rtsp::Credentials;

/// One camera's intake: connects, cuts the stream into chunks, reconnects after a loss.
pub struct Intake {
    camera: CameraId,
    source: IntakeSource,
    settings: IntakeSettings,
    clock: Clock,
    newest_epoch: NewestEpoch,
}

impl Intake {
    /// An idle intake. `clock` gives wall-clock time.
    #[must_use]
    pub fn new(camera: CameraId, source: IntakeSource, settings: IntakeSettings, clock: Clock) -> Self {
        Self { camera, source, settings, clock, newest_epoch: Arc::new(|| 0) }
    }

    /// Its stream sessions are newer than `newest` too, whatever the clock shows.
    #[must_use]
    pub fn after(self, newest: NewestEpoch) -> Self {
        Self { newest_epoch: newest, ..self }
    }

    /// Runs until `stop`, until the receiver is gone, or until [`IntakeEvent::Ended`].
    ///
    /// Log lines do not name the camera: the span of the caller does.
    ///
    /// A slow receiver holds intake back: a recording then lags behind real time and catches up, a network camera is
    /// read later and may disconnect. A chunk that is incomplete at `stop` is sent if there is room for it.
    pub async fn run(self, out: mpsc::Sender<IntakeEvent>, stop: CancellationToken) {
        let Self { camera, source, settings, clock, newest_epoch } = self;
        let mut output = Output::new(camera, out, stop, &settings, clock, newest_epoch);
        let ended = match crate::init() {
            Err(error) => output.refused(error.into()).await,
            Ok(()) => match source {
                IntakeSource::File { path, looped, offset } => {
                    file::play(&mut output, &settings, &path, looped, offset).await
                }
                IntakeSource::Rtsp { url, credentials } => rtsp::follow(&mut output, &settings, url, credentials).await,
                IntakeSource::Unavailable(reason) => {
                    output.no_signal(reason);
                    output.meanwhile(std::future::pending()).await
                }
            },
        };
        if ended == Err(Gone) {
            tracing::debug!("intake stopped");
        }
    }
}
