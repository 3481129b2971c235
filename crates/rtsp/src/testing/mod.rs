//! A camera for tests: a small RTSP server on the loopback that plays given pictures, and misbehaves as its [`Script`] says.

mod conversation;
mod guard;
mod live;
mod packets;
mod player;
mod script;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use url::Url;

pub use guard::{Guard, Scheme};
pub use live::{Live, Taken};
pub use packets::{jpeg_parts, nal_units};
pub use script::{End, Markers, Misdeed, Reports, Rule, Script, Transports};

use conversation::Conversation;

/// Most requests that are remembered.
const MAX_REQUESTS: usize = 10_000;

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its method.
    pub method: String,
    /// The whole head.
    pub head: String,
}

/// What all connections of a server share.
#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Vec<Seen>>,
    /// How often each rule was applied.
    applied: Mutex<Vec<usize>>,
    connections: Mutex<usize>,
    nonce: Mutex<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A running camera; it stops when dropped, and its connections break.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    running: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Starts a camera on a free port of the loopback.
    ///
    /// # Panics
    /// Without a free port.
    pub async fn start(script: Script) -> Self {
        Self::start_on(script, 0).await
    }

    /// Starts a camera that plays each script for one connection, in turn, and the last one for all that follow; they are without
    /// exceptions.
    ///
    /// # Panics
    /// Without a free port.
    pub async fn in_turn(scripts: Vec<Script>) -> Self {
        assert!(scripts.iter().all(|script| script.rules.is_empty()), "exceptions are counted for one script");
        Self::play(scripts, 0).await
    }

    /// Starts a camera on a port of the loopback; 0 takes a free one.
    ///
    /// # Panics
    /// When the port is in use.
    pub async fn start_on(script: Script, port: u16) -> Self {
        Self::play(vec![script], port).await
    }

    async fn play(scripts: Vec<Script>, port: u16) -> Self {
        let Ok(listener) = TcpListener::bind(("127.0.0.1", port)).await else { panic!("port {port} cannot be used") };
        let Ok(address) = listener.local_addr() else { panic!("the listener has no address") };
        let shared = Arc::new(Shared::default());
        *lock(&shared.applied) = vec![0; scripts.iter().map(|script| script.rules.len()).sum()];
        *lock(&shared.nonce) = fastrand::u64(..);
        let scripts = scripts.into_iter().map(Arc::new).collect();
        let running = tokio::spawn(serve(listener, scripts, shared.clone()));
        Self { address, shared, running }
    }

    /// The address of the stream.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn url(&self) -> Url {
        match Url::parse(&format!("rtsp://{}/live", self.address)) {
            Ok(url) => url,
            Err(error) => panic!("{error}"),
        }
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The requests so far, at most 10,000.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.shared.seen).clone()
    }

    /// The number of requests of a method so far.
    #[must_use]
    pub fn count(&self, method: &str) -> usize {
        lock(&self.shared.seen).iter().filter(|seen| seen.method == method).count()
    }

    /// The number of connections so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        *lock(&self.shared.connections)
    }

    /// Waits for requests of a method, a minute at most.
    ///
    /// # Panics
    /// When there are fewer after a minute.
    pub async fn wait(&self, method: &str, count: usize) {
        for _ in 0..6000 {
            if self.count(method) >= count {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{count} requests {method} did not come");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn serve(listener: TcpListener, scripts: Vec<Arc<Script>>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut scripts = scripts.iter().chain(scripts.last().into_iter().cycle());
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (Ok((stream, peer)), Some(script)) = (accepted, scripts.next()) else { continue };
                *lock(&shared.connections) += 1;
                let conversation = Conversation::new(stream, peer.ip(), script.clone(), shared.clone());
                connections.spawn(conversation.run());
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Shared {
    fn note(&self, method: &str, head: String) {
        let mut seen = lock(&self.seen);
        if seen.len() < MAX_REQUESTS {
            seen.push(Seen { method: method.to_owned(), head });
        }
    }
}
