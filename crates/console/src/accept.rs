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
use tokio::time::Instant;
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
use crate::waiting::Waiting;

/// First and longest pause after a connection could not be accepted.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// Connections that are accepted before some of those that wait are served, and how many are then.
const ACCEPTED_AT_ONCE: usize = 64;
const BEGUN_AT_ONCE: usize = 4;
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
    let mut door = Door::new(Arc::new(server));
    let stop = door.server.stop.clone();
    loop {
        let has_waiting = !door.waiting.is_empty();
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = accept(&listener, door.resume), if door.in_a_row < ACCEPTED_AT_ONCE || !has_waiting => {
                door.accepted(accepted);
            }
            // Behind what is ready to be accepted.
            () = tokio::task::yield_now(), if has_waiting => door.begin_some(),
        }
    }
    drop(listener);
    door.close().await;
}

/// The next connection, but none before `resume`.
async fn accept(listener: &TcpListener, resume: Option<Instant>) -> std::io::Result<(TcpStream, SocketAddr)> {
    if let Some(resume) = resume {
        tokio::time::sleep_until(resume).await;
    }
    listener.accept().await
}

/// Lets connections in. To accept one is cheap, to serve it is not: so when very many come, they are accepted first, those in excess of
/// a limit are closed, and of the rest clients take turns to have theirs served.
struct Door {
    server: Arc<Server>,
    tasks: TaskTracker,
    told: Arc<Semaphore>,
    waiting: Waiting<(TcpStream, SocketAddr)>,
    /// Connections accepted since some were served.
    in_a_row: usize,
    pause: Duration,
    /// When accepting goes on after an error.
    resume: Option<Instant>,
}

impl Door {
    fn new(server: Arc<Server>) -> Self {
        let told = Arc::new(Semaphore::new(TOLD_AT_ONCE));
        Self {
            server,
            tasks: TaskTracker::new(),
            told,
            waiting: Waiting::default(),
            in_a_row: 0,
            pause: PAUSE.0,
            resume: None,
        }
    }

    fn accepted(&mut self, accepted: std::io::Result<(TcpStream, SocketAddr)>) {
        self.in_a_row += 1;
        match accepted {
            Ok((stream, peer)) => {
                (self.pause, self.resume) = (PAUSE.0, None);
                self.admit(stream, peer);
            }
            // The client has left again.
            Err(error) if is_of_the_client(error.kind()) => {}
            Err(error) => {
                self.server.refusals.note(Refusal::Accept, &error);
                self.server.connections.close_idle();
                self.waiting.drop_displaced();
                self.resume = Some(Instant::now() + self.pause);
                self.pause = (self.pause * 2).min(PAUSE.1);
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr) {
        let proxy = is_trusted(peer.ip(), &self.server.settings.trusted_proxies);
        match self.server.connections.admit(peer.ip(), proxy) {
            Ok((place, displaced)) => {
                self.waiting.push(peer.ip(), (stream, peer), place);
                if let Some(limit) = displaced {
                    self.server.refusals.note(limit, &peer.ip());
                    self.waiting.drop_displaced();
                }
            }
            Err(limit) => {
                self.server.refusals.note(limit, &peer.ip());
                if let Ok(turn) = self.told.clone().try_acquire_owned() {
                    self.tasks.spawn(async move {
                        let _ = tokio::time::timeout(TELL, tell(stream)).await;
                        drop(turn);
                    });
                }
            }
        }
    }

    /// Begins to serve some of the connections that wait.
    fn begin_some(&mut self) {
        self.in_a_row = 0;
        for _ in 0..BEGUN_AT_ONCE {
            let Some(((stream, peer), place)) = self.waiting.pop() else { return };
            self.tasks.spawn(self.server.clone().hold(stream, peer, place));
        }
    }

    /// Waits for requests in progress, and ends them after the grace period.
    async fn close(self) {
        let Self { server, tasks, waiting, .. } = self;
        drop(waiting);
        tasks.close();
        if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
            tracing::warn!("console stopped with requests in flight");
            server.abort.cancel();
            tasks.wait().await;
        }
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
            biased;
            () = closed.cancelled() => return,
            ended = connection.as_mut() => ended,
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
