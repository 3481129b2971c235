use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{ConsoleError, ConsoleParts, ConsoleSettings, api, feed};

/// Grace period of requests in flight at shutdown.
const DRAIN: Duration = Duration::from_secs(5);

/// A console that holds its port and does not serve yet.
#[derive(Debug)]
pub struct Console {
    settings: ConsoleSettings,
    listener: TcpListener,
    local: SocketAddr,
}

impl Console {
    /// Binds the port.
    ///
    /// # Errors
    /// When the port is in use or the address is not local.
    pub async fn bind(settings: ConsoleSettings) -> Result<Self, ConsoleError> {
        let bind = |cause| ConsoleError::Bind { listen: settings.listen, cause };
        let listener = TcpListener::bind(settings.listen).await.map_err(bind)?;
        let local = listener.local_addr().map_err(bind)?;
        Ok(Self { settings, listener, local })
    }

    /// The address it listens on, with the bound port.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves until `stop`; then ends the live streams and gives other requests five seconds.
    ///
    /// # Errors
    /// When accepting connections fails.
    pub async fn run(self, parts: ConsoleParts, stop: CancellationToken) -> Result<(), ConsoleError> {
        let Self { settings, listener, local } = self;
        // Cancelled on return, whatever the result.
        let tasks = stop.child_token();
        let _ends_tasks = tasks.clone().drop_guard();
        let feed = feed::start(&parts, settings.stream_buffer, tasks.clone());
        let app = api::router(settings, parts, feed, tasks);
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        tracing::info!(address = %local, "console listening");
        let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
        let drained_or_late = async {
            stop.cancelled().await;
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            ended = async { serving.await } => ended.map_err(|cause| ConsoleError::Serve { listen: local, cause }),
            () = drained_or_late => {
                tracing::warn!(address = %local, "console stopped with requests in flight");
                Ok(())
            }
        }
    }
}

/// Binds the port and serves until `stop`.
///
/// # Errors
/// When the port cannot be bound or accepting connections fails.
pub async fn serve(
    settings: ConsoleSettings,
    parts: ConsoleParts,
    stop: CancellationToken,
) -> Result<(), ConsoleError> {
    Console::bind(settings).await?.run(parts, stop).await
}
