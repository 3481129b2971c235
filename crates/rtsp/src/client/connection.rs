//! The TCP connection to a camera.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
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
/// How long a camera has to close a connection after the last message.
const FAREWELL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Connection {
    stream: Arc<TcpStream>,
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
        Ok(Self { stream: Arc::new(stream), reader: Reader::default(), unsent: BytesMut::new() })
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

    /// Sends a message and closes the connection, in the background. Closed with unread bytes it would be reset, and the camera might
    /// not get the message: so they are read until the camera closes it, for a while.
    pub(super) fn send_last(&mut self, message: &str) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        self.unsent.extend_from_slice(message.as_bytes());
        let (stream, mut unsent) = (Arc::clone(&self.stream), std::mem::take(&mut self.unsent));
        let farewell = async move {
            let mut waste = BytesMut::new();
            while exchange(&stream, &mut unsent, &mut waste).await? != Some(0) {
                waste.clear();
            }
            std::io::Result::Ok(())
        };
        runtime.spawn(timeout(FAREWELL, farewell));
    }

    /// What arrives next. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Incoming, Error> {
        loop {
            // A camera that floods us must not keep timers from running.
            consume_budget().await;
            if let Some(incoming) = self.reader.next()? {
                return Ok(incoming);
            }
            match exchange(&self.stream, &mut self.unsent, self.reader.buffer()).await {
                Ok(Some(0)) => return Err(Error::Ended),
                Ok(_) => {}
                Err(error) => return Err(broken(&error)),
            }
        }
    }
}

/// Sends and receives as soon as one of the two is possible: how many bytes were read, 0 at the end of the stream.
async fn exchange(stream: &TcpStream, unsent: &mut BytesMut, read: &mut BytesMut) -> std::io::Result<Option<usize>> {
    let interest = if unsent.is_empty() { Interest::READABLE } else { Interest::READABLE | Interest::WRITABLE };
    let ready = stream.ready(interest).await?;
    if ready.is_writable() && !unsent.is_empty() {
        match stream.try_write(unsent) {
            Ok(sent) => unsent.advance(sent),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    if !ready.is_readable() {
        return Ok(None);
    }
    read.reserve(READ);
    match stream.try_read_buf(read) {
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

fn broken(error: &std::io::Error) -> Error {
    Error::Broken(error.to_string())
}
