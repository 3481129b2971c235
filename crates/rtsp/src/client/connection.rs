//! The TCP connection to a camera.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::coop::consume_budget;
use tokio::time::timeout;

use crate::Error;
use crate::message::{Incoming, Reader};

/// Bytes read at once, at most and at least.
const READ: usize = 32 * 1024;
const READ_LEAST: usize = 4 * 1024;
/// Most bytes that wait for a camera that does not read.
const MAX_UNSENT: usize = 128 * 1024;
/// How long a camera has to close a connection after the last message.
const FAREWELL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Connection {
    /// None once it is left to close.
    stream: Option<TcpStream>,
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
        Ok(Self { stream: Some(stream), reader: Reader::default(), unsent: BytesMut::new() })
    }

    pub(super) fn peer(&self) -> Result<SocketAddr, Error> {
        self.stream.as_ref().ok_or(Error::Ended)?.peer_addr().map_err(|error| broken(&error))
    }

    pub(super) fn local(&self) -> Result<SocketAddr, Error> {
        self.stream.as_ref().ok_or(Error::Ended)?.local_addr().map_err(|error| broken(&error))
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
        let Some(mut stream) = self.stream.take() else { return };
        self.unsent.extend_from_slice(message.as_bytes());
        let mut unsent = std::mem::take(&mut self.unsent);
        let farewell = async move {
            let mut waste = BytesMut::new();
            while exchange(&mut stream, &mut unsent, &mut waste).await? > 0 {
                waste.clear();
            }
            std::io::Result::Ok(())
        };
        runtime.spawn(timeout(FAREWELL, farewell));
    }

    /// What has arrived already.
    pub(super) fn arrived(&mut self) -> Result<Option<Incoming>, Error> {
        self.reader.next()
    }

    /// What arrives next. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Incoming, Error> {
        let stream = self.stream.as_mut().ok_or(Error::Ended)?;
        loop {
            // A camera that floods us must not keep timers from running.
            consume_budget().await;
            if let Some(incoming) = self.reader.next()? {
                return Ok(incoming);
            }
            match exchange(stream, &mut self.unsent, self.reader.buffer()).await {
                Ok(0) => return Err(Error::Ended),
                Ok(_) => {}
                Err(error) => return Err(broken(&error)),
            }
        }
    }
}

/// Receives, and sends meanwhile: how many bytes were read, 0 at the end of the stream.
async fn exchange(stream: &mut TcpStream, unsent: &mut BytesMut, read: &mut BytesMut) -> std::io::Result<usize> {
    if read.capacity() - read.len() < READ_LEAST {
        read.reserve(READ);
    }
    while !unsent.is_empty() {
        let (mut receiver, mut sender) = stream.split();
        tokio::select! {
            sent = sender.write(unsent) => unsent.advance(sent?),
            received = receiver.read_buf(read) => return received,
        }
    }
    stream.read_buf(read).await
}

fn broken(error: &std::io::Error) -> Error {
    Error::Broken(error.to_string())
}
