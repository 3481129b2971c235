//! Measurements, which `benches/run console` prints; no test asserts them, because a machine may be busy.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::nginx::Nginx;
use crate::stream::Events;
use crate::support::{Running, alert};
use crate::wire::{PATIENCE, connect, exchange};

const MANY: [u8; 4] = [127, 0, 0, 2];
const OTHER: [u8; 4] = [127, 0, 0, 3];
const SLOW_CONNECTIONS: usize = 500;
const STREAMS: usize = 2_000;

/// How long each of some things took.
pub(crate) struct Durations(Vec<Duration>);

impl Durations {
    pub(crate) fn new(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// The one that a share of all does not exceed.
    pub(crate) fn share(&self, of_100: usize) -> Duration {
        self.0[(self.0.len() * of_100).div_ceil(100) - 1]
    }

    /// A line with median, 99th percentile and maximum.
    pub(crate) fn print(&self, what: &str, target: Duration) {
        let [median, high, most] = [50, 99, 100].map(|of_100| self.share(of_100).as_secs_f64() * 1e3);
        let verdict = if self.share(100) <= target { "met" } else { "MISSED" };
        println!(
            "{what}: {} times, median {median:.1} ms, 99 % {high:.1} ms, most {most:.1} ms (target {target:?}: {verdict})",
            self.0.len()
        );
    }
}

/// Requests of a client that does nothing wrong, each on a connection of its own.
async fn ask(console: &Running, count: usize) -> Vec<Duration> {
    let mut took = Vec::new();
    for path in ["/api/v1/frames", "/api/v1/alerts?limit=50", "/healthz", "/api/v1/cameras"].iter().cycle().take(count)
    {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        let began = Instant::now();
        let answer = exchange(&mut connect(console, OTHER).await, request.as_bytes()).await;
        took.push(began.elapsed());
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    took
}

/// What became of the connections of the hostile client.
#[derive(Default)]
struct Hostile {
    slow_tried: AtomicUsize,
    streams_tried: AtomicUsize,
    streams_open: AtomicUsize,
}

/// How long the hostile client waits until it opens a connection again.
const AGAIN: Duration = Duration::from_secs(5);

/// A connection that never gets anywhere: half of them send a request byte by byte, half ask for much and read nothing.
async fn dawdle(console: Arc<Running>, number: usize, hostile: Arc<Hostile>) {
    loop {
        let mut stream = connect(&console, MANY).await;
        let (begin, go_on) = if number.is_multiple_of(2) {
            ("GET /api/v1/frames HTTP/1.1\r\nHost: localhost\r\nX-Slow: ".to_owned(), "x")
        } else {
            ("GET /api/v1/alerts?limit=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20), "\r\n")
        };
        let mut open = stream.write_all(begin.as_bytes()).await.is_ok();
        hostile.slow_tried.fetch_add(1, Ordering::Relaxed);
        while open {
            tokio::time::sleep(Duration::from_millis(500)).await;
            open = stream.write_all(go_on.as_bytes()).await.is_ok();
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// A live stream that is asked for again when it was refused or ended.
async fn listen(console: Arc<Running>, hostile: Arc<Hostile>) {
    let request = b"GET /api/v1/alerts/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";
    loop {
        let mut stream = connect(&console, MANY).await;
        let mut head = [0; 12];
        let is_served = stream.write_all(request).await.is_ok()
            && matches!(tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await, Ok(Ok(_)))
            && head.ends_with(b"200");
        hostile.streams_tried.fetch_add(1, Ordering::Relaxed);
        if is_served {
            hostile.streams_open.fetch_add(1, Ordering::Relaxed);
            let mut unread = [0; 4096];
            while stream.read(&mut unread).await.is_ok_and(|read| read > 0) {}
            hostile.streams_open.fetch_sub(1, Ordering::Relaxed);
        }
        drop(stream);
        tokio::time::sleep(AGAIN).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: benches/run console"]
async fn others_are_served_beside_slow_connections_and_streams_of_one_client() {
    let target = Duration::from_millis(100);
    let console = Arc::new(Running::start().await);
    for number in 0..300 {
        console.raise(&alert(number));
    }
    Durations::new(ask(&console, 200).await).print("nobody else", target);

    // On threads of its own: it would not be in the console's process, and its own queue is not what is measured.
    let elsewhere = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (hostile, mut tasks) = (Arc::new(Hostile::default()), JoinSet::new());
    for number in 0..SLOW_CONNECTIONS {
        tasks.spawn_on(dawdle(console.clone(), number, hostile.clone()), elsewhere.handle());
    }
    for _ in 0..STREAMS {
        tasks.spawn_on(listen(console.clone(), hostile.clone()), elsewhere.handle());
    }
    let count = |number: &AtomicUsize| number.load(Ordering::Relaxed);
    let mut took = Vec::new();
    while count(&hostile.slow_tried) < SLOW_CONNECTIONS || count(&hostile.streams_tried) < STREAMS {
        took.extend(ask(&console, 4).await);
    }
    Durations::new(took).print("while the hostile ones come", target);

    let mut took = Vec::new();
    for number in 0..20 {
        console.raise(&alert(300 + number));
        took.extend(ask(&console, 10).await);
    }
    Durations::new(took).print("while they stay and come again", target);
    println!(
        "until now {} slow connections and {} streams were tried; {} streams are open",
        count(&hostile.slow_tried),
        count(&hostile.streams_tried),
        count(&hostile.streams_open)
    );
    tasks.shutdown().await;
    elsewhere.shutdown_background();
    Arc::into_inner(console).expect("nobody else has it").stop().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: benches/run console"]
async fn how_long_an_alert_takes_through_nginx() {
    let console = Running::start().await;
    let nginx = Nginx::start(&format!("location / {{ proxy_pass {}; }}", console.url)).await.expect("nginx");
    let mut events = Events::at(&nginx.url, None).await;
    events.expect("ready").await;
    let mut took = Vec::new();
    for number in 0..50 {
        let alert = alert(number);
        console.raise(&alert);
        // `raise` returns when the alert is stored.
        let stored = Instant::now();
        events.expect("alert").await;
        took.push(stored.elapsed());
    }
    Durations::new(took).print("alert stored to client, through nginx", Duration::from_millis(300));
    console.stop().await;
}
