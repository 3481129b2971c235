//! The TCP connection to a camera.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::coop::consume_budget;
use tokio::time::timeout;

use crate::Error;
use crate::message::{Incoming, Reader};

/// Bytes read at once.
const READ: usize = 32 * 1024;
/// Most bytes that wait for a camera that does not read.
const MAX_UNSENT: usize = 128 * 1024;

#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    reader: Reader,
    unsent: BytesMut,
}

impl Connection {
    pub(super) async fn open(host: &str, port: u16, within: Duration) -> Result<Self, Error> {
        let stream = match timeout(within, TcpStream::connect((host, port))).await {
            Err(_) => return Err(Error::Timeout(within)),
            Ok(Err(error)) => return Err(Error::Unreachable(error.to_string())),
            Ok(Ok(stream)) => stream,
        };
        // Requests are small and waited for.
        let _ = stream.set_nodelay(true);
        Ok(Self { stream, reader: Reader::default(), unsent: BytesMut::new() })
    }

    pub(super) fn peer(&self) -> Result<SocketAddr, Error> {
        self.stream.peer_addr().map_err(|error| broken(&error))
    }

    pub(super) fn local(&self) -> Result<SocketAddr, Error> {
        self.stream.local_addr().map_err(|error| broken(&error))
    }

    /// Sends a message with the next arriving bytes, or before them.
    pub(super) fn send(&mut self, message: &str) -> Result<(), Error> {
        if self.unsent.len() + message.len() > MAX_UNSENT {
            return Err(Error::Protocol("the camera does not read what it is sent"));
        }
        self.unsent.extend_from_slice(message.as_bytes());
        Ok(())
    }

    /// Sends a message at once, if there is room for it, before the connection is closed.
    pub(super) fn send_last(&mut self, message: &str) {
        if self.unsent.is_empty() {
            let _ = self.stream.try_write(message.as_bytes());
        }
    }

    /// What arrives next. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Incoming, Error> {
        loop {
            // A camera that floods us must not keep timers from running.
            consume_budget().await;
            if let Some(incoming) = self.reader.next()? {
                return Ok(incoming);
            }
            let interest =
                if self.unsent.is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
            let ready = self.stream.ready(interest).await.map_err(|error| broken(&error))?;
            if ready.is_writable() && !self.unsent.is_empty() {
                match self.stream.try_write(&self.unsent) {
                    Ok(sent) => self.unsent.advance(sent),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(broken(&error)),
                }
            }
            if ready.is_readable() {
                let buffer = self.reader.buffer();
                buffer.reserve(READ);
                match self.stream.try_read_buf(buffer) {
                    Ok(0) => return Err(Error::Ended),
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(broken(&error)),
                }
            }
        }
    }
}

fn broken(error: &std::io::Error) -> Error {
    Error::Broken(error.to_string())
}
