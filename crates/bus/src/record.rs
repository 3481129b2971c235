use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::sync::oneshot;

use crate::BusError;

/// A named piece of metadata that travels beside the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Name, for example `ce_id`.
    pub name: String,
    /// Value, any bytes.
    pub value: Bytes,
}

/// A record to write.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Decides the partition and, in a compacted topic, which record supersedes which.
    pub key: Bytes,
    /// The content; `None` deletes the key in a compacted topic.
    pub value: Option<Bytes>,
    /// Metadata.
    pub headers: Vec<Header>,
    /// Milliseconds since the Unix epoch: capture time where there is one.
    pub timestamp_ms: i64,
}

impl Record {
    /// The value of the first header called `name`.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&Bytes> {
        self.headers.iter().find(|header| header.name == name).map(|header| &header.value)
    }

    /// Bytes of key, value and headers together.
    #[must_use]
    pub fn size(&self) -> usize {
        let headers: usize = self.headers.iter().map(|header| header.name.len() + header.value.len()).sum();
        self.key.len() + self.value.as_ref().map_or(0, Bytes::len) + headers
    }
}

/// Location of a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Position {
    /// Topic, without the prefix an adapter may add.
    pub topic: Arc<str>,
    /// Partition, from 0.
    pub partition: u32,
    /// Offset, from 0.
    pub offset: u64,
}

/// `TOPIC/PARTITION/OFFSET`
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

/// A durable record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Written {
    /// Topic, without the prefix an adapter may add.
    pub topic: Arc<str>,
    /// Partition, from 0.
    pub partition: u32,
    /// Offset, from 0. None when a retried send after a lost answer turns out to have been written the first
    /// time, and the broker does not say where.
    pub offset: Option<u64>,
}

/// A record as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// Its location.
    pub position: Position,
    /// Its content.
    pub record: Record,
}

/// Resolves once the record is durable.
#[derive(Debug)]
pub struct Delivery(oneshot::Receiver<Result<Written, BusError>>);

impl Delivery {
    /// A delivery and its sender.
    #[must_use]
    pub(crate) fn new() -> (oneshot::Sender<Result<Written, BusError>>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }

    /// A delivery that has resolved: nothing more needs to become durable.
    #[must_use]
    pub fn resolved(written: Written) -> Self {
        let (sender, delivery) = Self::new();
        let _ = sender.send(Ok(written));
        delivery
    }
}

impl Future for Delivery {
    type Output = Result<Written, BusError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|outcome| outcome.unwrap_or(Err(BusError::Closed)))
    }
}
