//! A way to a Kafka broker on which requests are counted.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The numbers that requests have in Kafka's protocol.
pub(crate) const FETCH: i16 = 1;
pub(crate) const LIST_OFFSETS: i16 = 2;

/// Passes connections on to a broker that gives the relay's port as its own, and counts the requests of each kind.
pub(crate) struct Relay {
    port: u16,
    counts: Arc<Mutex<BTreeMap<i16, usize>>>,
}

impl Relay {
    /// Begins to listen on a port of its own; connections go to what `target` says by then.
    pub(crate) fn start(target: Arc<Mutex<Option<String>>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts = Arc::<Mutex<BTreeMap<i16, usize>>>::default();
        let counting = Arc::clone(&counts);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let address = target.lock().unwrap().clone();
                let Some(broker) = address.and_then(|address| TcpStream::connect(address).ok()) else { continue };
                let (answers, to) = (broker.try_clone().unwrap(), client.try_clone().unwrap());
                let counting = Arc::clone(&counting);
                std::thread::spawn(move || pass_requests(client, broker, &counting));
                std::thread::spawn(move || pass_answers(answers, to));
            }
        });
        Self { port, counts }
    }

    /// `host:port` of the relay.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// How many requests of one kind `work` sends.
    pub(crate) async fn during<T>(&self, kind: i16, work: impl Future<Output = T>) -> (T, usize) {
        let count = || self.counts.lock().unwrap().get(&kind).copied().unwrap_or_default();
        let before = count();
        let done = work.await;
        (done, count() - before)
    }
}

/// A request begins with its length in four bytes and its kind in two.
fn pass_requests(mut from: TcpStream, mut to: TcpStream, counts: &Mutex<BTreeMap<i16, usize>>) {
    let mut length = [0; 4];
    let mut request = Vec::new();
    while from.read_exact(&mut length).is_ok() {
        request.resize(u32::from_be_bytes(length) as usize, 0);
        if from.read_exact(&mut request).is_err() {
            break;
        }
        *counts.lock().unwrap().entry(i16::from_be_bytes([request[0], request[1]])).or_default() += 1;
        if to.write_all(&length).and_then(|()| to.write_all(&request)).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn pass_answers(mut from: TcpStream, mut to: TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}
