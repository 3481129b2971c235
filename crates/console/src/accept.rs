//! Accepts connections and serves HTTP/1.1 on them, within limits of time and number.

use std::convert::Infallible;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::http::Uri;
use axum::response::Response;
use bytes::Bytes;
use hyper::Request;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use crate::ConsoleSettings;
use crate::api_rule::ApiRule;
use crate::arrival::Arrival;
use crate::base_path::{NoSlash, Target};
use crate::connections::{Busy, Connections, Place};
use crate::gate::with_options;
use crate::problem::{Problem, ProblemKind};
use crate::proxies::is_trusted;
use crate::refusals::{Refusal, Refusals};
use crate::stall_guard::StallGuard;

/// First and longest pause after a connection could not be accepted.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Refused connections that are told so at the same time; further ones are only closed.
const TOLD_AT_ONCE: usize = 16;
/// Grace period of requests in progress at the stop.
const DRAIN: Duration = Duration::from_secs(5);
/// How long a refused connection may take to read why.
const TELL: Duration = Duration::from_millis(500);
/// What each connection needs.
pub(crate) struct Server {
    pub(crate) settings: ConsoleSettings,
    pub(crate) app: Router,
    pub(crate) connections: Connections,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) stop: CancellationToken,
    /// Ends what is in progress after the grace period.
    pub(crate) abort: CancellationToken,
}

/// Serves until `stop`; then closes idle connections and gives requests in progress five seconds.
pub(crate) async fn serve(listener: TcpListener, server: Server) {
    let server = Arc::new(server);
    let (tasks, told) = (TaskTracker::new(), Arc::new(Semaphore::new(TOLD_AT_ONCE)));
    let mut pause = PAUSE.0;
    while let Some(accepted) = server.stop.run_until_cancelled(listener.accept()).await {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // The client has left again.
            Err(error) if is_of_the_client(error.kind()) => continue,
            Err(error) => {
                server.refusals.note(Refusal::Accept, &error);
                server.connections.close_idle();
                server.stop.run_until_cancelled(tokio::time::sleep(pause)).await;
                pause = (pause * 2).min(PAUSE.1);
                continue;
            }
        };
        pause = PAUSE.0;
        let proxy = is_trusted(peer.ip(), &server.settings.trusted_proxies);
        match server.connections.admit(peer.ip(), proxy) {
            Ok((place, displaced)) => {
                if let Some(limit) = displaced {
                    server.refusals.note(limit, &peer.ip());
                }
                tasks.spawn(server.clone().hold(stream, peer, place));
            }
            Err(limit) => {
                server.refusals.note(limit, &peer.ip());
                if let Ok(turn) = told.clone().try_acquire_owned() {
                    tasks.spawn(async move {
                        let _ = tokio::time::timeout(TELL, tell(stream)).await;
                        drop(turn);
                    });
                }
            }
        }
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
        tracing::warn!("console stopped with requests in flight");
        server.abort.cancel();
        tasks.wait().await;
    }
}

fn is_of_the_client(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::ConnectionRefused)
}

/// The answer to a connection that is refused, whatever its request.
fn refused() -> Vec<u8> {
    let problem = Problem::new(ProblemKind::BUSY, ApiRule::TooManyConnections);
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nConnection: close\r\nRetry-After: 2\r\n\
         Cache-Control: no-store\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head, body].concat().into_bytes()
}

/// Says why a connection is refused. What was sent is read first: closed with unread bytes, a connection is reset, and its answer lost.
async fn tell(mut stream: TcpStream) -> std::io::Result<()> {
    stream.write_all(&refused()).await?;
    stream.shutdown().await?;
    let mut unread = [0; 1024];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

impl Server {
    /// Serves one connection to its end.
    async fn hold(self: Arc<Self>, stream: TcpStream, peer: SocketAddr, place: Arc<Place>) {
        let Ok(local) = stream.local_addr() else { return };
        let _ = stream.set_nodelay(true);
        let (closed, held) = (place.closed.clone(), place.clone());
        let arrival = Arrival { peer, local };
        let answer = {
            let server = self.clone();
            service_fn(move |request: Request<Incoming>| {
                let (busy, server) = (place.begin(), server.clone());
                async move {
                    let response = server.answer(request, arrival).await;
                    Ok::<_, Infallible>(response.map(|body| Kept { body, _busy: busy }))
                }
            })
        };
        let io = TokioIo::new(StallGuard::new(stream, held.clone(), self.settings.limits.stall_timeout));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(self.settings.limits.header_timeout);
        let mut connection = pin!(http.serve_connection(io, answer));
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = closed.cancelled() => return,
            () = self.stop.cancelled() => {
                if held.is_idle() {
                    return;
                }
                connection.as_mut().graceful_shutdown();
                match self.abort.run_until_cancelled(connection).await {
                    Some(ended) => ended,
                    None => return,
                }
            }
        };
        if let Err(error) = ended {
            // One without any part of a request was only kept open.
            if error.is_timeout() && held.received.load(Ordering::Relaxed) {
                self.refusals.note(Refusal::SlowHeaders, &peer.ip());
            } else if is_stalled(&error) {
                self.refusals.note(Refusal::Stalled, &peer.ip());
            }
        }
    }

    async fn answer(&self, request: Request<Incoming>, arrival: Arrival) -> Response {
        let (mut parts, body) = request.into_parts();
        match self.settings.base_path.strip(parts.uri) {
            Target::Inside(uri) => parts.uri = uri,
            Target::NoSlash => {
                parts.uri = Uri::from_static("/");
                parts.extensions.insert(NoSlash);
            }
        }
        parts.extensions.insert(arrival);
        let request = Request::from_parts(parts, Body::new(body));
        match self.app.clone().call(request).await {
            // The router names the methods of a path after all layers.
            Ok(response) => with_options(response),
            Err(never) => match never {},
        }
    }
}

fn is_stalled(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|cause| cause.kind() == ErrorKind::TimedOut)
}

/// The body of an answer; until it is sent, its request is in progress.
struct Kept {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
