use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket};
use tokio_util::sync::CancellationToken;

use crate::accept::{self, Server};
use crate::connections::{ConnectionLimits, Connections, descriptors, three_quarters};
use crate::refusals::Refusals;
use crate::{ConsoleError, ConsoleParts, ConsoleSettings, api, feed};

/// Connections that wait to be accepted, where the system allows as many. The next one would be tried again after a second, whoever
/// filled the places.
const BACKLOG: u32 = 4096;

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
        let listener = listen(settings.listen).map_err(bind)?;
        let local = listener.local_addr().map_err(bind)?;
        Ok(Self { settings, listener, local })
    }

    /// The address it listens on, with the bound port.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Serves until `stop`; then ends the live streams and gives other requests five seconds.
    pub async fn run(self, parts: ConsoleParts, stop: CancellationToken) {
        let Self { mut settings, listener, local } = self;
        // Cancelled on return, whatever the result.
        let tasks = stop.child_token();
        let _ends_tasks = tasks.clone().drop_guard();
        let feed = feed::start(&parts, &settings, tasks.clone());
        let limits = &mut settings.limits;
        let configured = ConnectionLimits { overall: limits.connections, per_peer: limits.connections_per_client };
        let within = ConnectionLimits::within(configured, descriptors());
        // Streams leave connections for other requests.
        limits.streams = limits.streams.min(three_quarters(within.overall));
        limits.streams_per_client = limits.streams_per_client.min(three_quarters(within.per_peer));
        let refusals = Arc::new(Refusals::default());
        tokio::spawn({
            let (refusals, tasks) = (refusals.clone(), tasks.clone());
            async move { refusals.keep_log(tasks).await }
        });
        let app = api::router(settings.clone(), parts, feed, refusals.clone(), tasks);
        let ConnectionLimits { overall, per_peer } = within;
        tracing::info!(address = %local, connections = overall, of_one_client = per_peer, "console listening");
        let connections = Connections::new(within);
        let abort = CancellationToken::new();
        accept::serve(listener, Server { settings, app, connections, refusals, stop, abort }).await;
    }
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As any server's: the port of a server that just ended is free.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Binds the port and serves until `stop`.
///
/// # Errors
/// When the port cannot be bound.
pub async fn serve(
    settings: ConsoleSettings,
    parts: ConsoleParts,
    stop: CancellationToken,
) -> Result<(), ConsoleError> {
    Console::bind(settings).await?.run(parts, stop).await;
    Ok(())
}
