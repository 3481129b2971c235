//! Requests as bytes, for what no HTTP client sends.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::Running;

/// How long anything that must happen may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An answer, read to the end of its connection.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers, in lower case.
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The body of a refusal.
    pub(crate) fn problem(&self) -> Value {
        assert!(self.head.contains("content-type: application/problem+json"), "{self:?}");
        let problem: Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], self.status);
        problem
    }
}

/// A connection from an address of this machine, 127.0.0.1 or another of 127.0.0.0/8.
pub(crate) async fn connect(console: &Running, from: [u8; 4]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::from(from), 0)).unwrap();
    socket.connect(console.address).await.unwrap()
}

/// Sends bytes and reads the answer until the server closes the connection.
pub(crate) async fn exchange(stream: &mut TcpStream, bytes: &[u8]) -> Answer {
    // The server may refuse before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("an answer in time");
    let text = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {read:?} {text}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// One request on a connection of its own: `head` are its line and headers, without `Connection`.
pub(crate) async fn ask(console: &Running, head: &str, body: &str) -> Answer {
    let request = format!("{head}\r\nConnection: close\r\n\r\n{body}");
    exchange(&mut connect(console, [127, 0, 0, 1]).await, request.as_bytes()).await
}

/// Waits until the server has closed a connection; what it sent until then.
pub(crate) async fn closed(stream: &mut TcpStream) -> String {
    let mut sent = Vec::new();
    // A reset connection is closed too.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut sent)).await.expect("it is closed in time");
    String::from_utf8_lossy(&sent).into_owned()
}
