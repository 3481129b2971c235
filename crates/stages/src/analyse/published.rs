//! Published records that are not known to be durable yet.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::stream::{FuturesUnordered, StreamExt};
use vedette_bus::{BusError, Delivery};
use vedette_core::{StageLatency, Timestamp};
use vedette_runtime::clock;

use crate::latency::LatencyBook;

/// A record in flight; resolves when it is durable.
pub(super) struct Published {
    delivery: Delivery,
    measured: Option<Measured>,
}

/// Measures publish latency: recorded once the broker acknowledges the alert.
struct Measured {
    book: LatencyBook,
    captured: Timestamp,
    steps: Option<StageLatency>,
}

impl Published {
    pub(super) fn new(delivery: Delivery) -> Self {
        Self { delivery, measured: None }
    }

    /// Records in `book` the latency since `captured`, and its parts.
    pub(super) fn measured(self, book: LatencyBook, captured: Timestamp, steps: Option<StageLatency>) -> Self {
        Self { measured: Some(Measured { book, captured, steps }), ..self }
    }
}

impl Future for Published {
    type Output = Result<(), BusError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(Pin::new(&mut self.delivery).poll(context))?;
        if let Some(Measured { book, captured, steps }) = self.measured.take() {
            book.note(captured, steps, clock::now());
        }
        Poll::Ready(Ok(()))
    }
}

/// The records of one partition in flight.
#[derive(Default)]
pub(super) struct InFlight(FuturesUnordered<Published>);

impl InFlight {
    pub(super) fn add(&mut self, published: Published) {
        self.0.push(published);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Drops the acknowledged ones. Ready only when one has failed.
    pub(super) fn poll_failure(&mut self, context: &mut Context<'_>) -> Poll<BusError> {
        loop {
            match self.0.poll_next_unpin(context) {
                Poll::Ready(Some(Ok(()))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(error),
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Waits for the last of them.
    pub(super) async fn arrive(mut self) -> Result<(), BusError> {
        while let Some(arrived) = self.0.next().await {
            arrived?;
        }
        Ok(())
    }
}
