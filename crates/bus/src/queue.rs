use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use vedette_metrics::{Counter, Gauge, SharedString};

use crate::metrics;

/// Overhead of an item beside its content, so that a flood of empty records is bounded too.
const ITEM_BYTES: usize = 128;

/// A channel bounded by the bytes waiting in it: records differ from bytes to megabytes. An item larger than
/// the whole bound passes alone.
pub(crate) fn bytes_bounded<T>(bytes: usize, queue: &'static str, name: &str) -> (QueueSender<T>, QueueReceiver<T>) {
    let capacity = bytes.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
    let room = Arc::new(Semaphore::new(capacity));
    let (items, receiver) = mpsc::unbounded_channel();
    let labels = || [SharedString::from(queue), name.to_owned().into()];
    let held = metrics::QUEUE_BYTES.with(labels());
    let waits = metrics::QUEUE_WAITS.with(labels());
    let sender = QueueSender { items, room: Arc::clone(&room), capacity, held, waits };
    (sender, QueueReceiver { items: receiver, room, rest: Vec::new().into_iter(), of_rest: None })
}

/// Items that are sent together, at the cost of one.
struct Queued<T> {
    first: T,
    rest: Vec<T>,
    place: Option<Place>,
}

/// The bytes reserved by waiting items. Released on drop, also when the receiver goes away with items inside.
struct Place {
    _room: OwnedSemaphorePermit,
    _held: Held,
}

struct Held(Gauge, f64);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.decrement(self.1);
    }
}

/// The sending half.
pub(crate) struct QueueSender<T> {
    items: mpsc::UnboundedSender<Queued<T>>,
    room: Arc<Semaphore>,
    capacity: usize,
    held: Gauge,
    waits: Counter,
}

/// The other half is gone.
#[derive(Debug)]
pub(crate) struct QueueClosed;

impl<T> QueueSender<T> {
    fn weight(&self, bytes: usize) -> u32 {
        // `capacity` fits in u32.
        bytes.saturating_add(ITEM_BYTES).min(self.capacity) as u32
    }

    fn push(&self, first: T, rest: Vec<T>, weight: u32, room: OwnedSemaphorePermit) -> Result<(), QueueClosed> {
        self.held.increment(f64::from(weight));
        let held = Held(self.held.clone(), f64::from(weight));
        let place = Some(Place { _room: room, _held: held });
        self.items.send(Queued { first, rest, place }).map_err(|_| QueueClosed)
    }

    /// Waits for room for `bytes`.
    pub(crate) async fn send(&self, item: T, bytes: usize) -> Result<(), QueueClosed> {
        let weight = self.weight(bytes);
        let room = match Arc::clone(&self.room).try_acquire_many_owned(weight) {
            Ok(room) => room,
            Err(_) => {
                self.waits.increment(1);
                Arc::clone(&self.room).acquire_many_owned(weight).await.map_err(|_| QueueClosed)?
            }
        };
        self.push(item, Vec::new(), weight, room)
    }

    /// Sends as many of the first of `waiting`, each with its bytes, as there is room for, converted to items by `wrap`. Never
    /// waits; only one task may use it.
    pub(crate) fn send_what_fits<I>(
        &self,
        waiting: &mut VecDeque<(I, usize)>,
        wrap: impl Fn(I) -> T,
    ) -> Result<(), QueueClosed> {
        if self.items.is_closed() {
            return Err(QueueClosed);
        }
        let room = self.room.available_permits();
        let (mut weight, mut count) = (0, 0);
        for (_, bytes) in waiting.iter() {
            let next = weight + self.weight(*bytes) as usize;
            if next > room {
                break;
            }
            (weight, count) = (next, count + 1);
        }
        let mut items = waiting.drain(..count).map(|(item, _)| wrap(item));
        let Some(first) = items.next() else { return Ok(()) };
        // The room is at most `capacity`, which fits in u32, and no other task takes of it.
        let weight = weight as u32;
        let room = Arc::clone(&self.room).try_acquire_many_owned(weight).map_err(|_| QueueClosed)?;
        self.push(first, items.collect(), weight, room)
    }

    /// Whether at least half of the bound is free.
    pub(crate) fn is_half_free(&self) -> bool {
        self.room.available_permits() >= self.capacity / 2
    }

    /// Sends an item regardless of the bound; for rare ones that must not wait.
    pub(crate) fn force_send(&self, item: T) {
        let _ = self.items.send(Queued { first: item, rest: Vec::new(), place: None });
    }

    /// Whether the receiver is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.items.is_closed()
    }

    /// Resolves when the receiver is gone.
    pub(crate) async fn closed(&self) {
        self.items.closed().await;
    }
}

/// The receiving half.
pub(crate) struct QueueReceiver<T> {
    items: mpsc::UnboundedReceiver<Queued<T>>,
    room: Arc<Semaphore>,
    /// The rest of a batch of which an item was handed out, and the bytes reserved until all is.
    rest: std::vec::IntoIter<T>,
    of_rest: Option<Place>,
}

impl<T> QueueReceiver<T> {
    /// The next item; `None` when the sender is gone and the channel is empty. Cancel-safe.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        if let Some(next) = self.rest.next() {
            return Some(next);
        }
        self.of_rest = None;
        let queued = self.items.recv().await?;
        Some(self.take(queued))
    }

    /// The next item if it is available.
    pub(crate) fn at_hand(&mut self) -> Option<T> {
        if let Some(next) = self.rest.next() {
            return Some(next);
        }
        self.of_rest = None;
        let queued = self.items.try_recv().ok()?;
        Some(self.take(queued))
    }

    fn take(&mut self, queued: Queued<T>) -> T {
        if !queued.rest.is_empty() {
            (self.rest, self.of_rest) = (queued.rest.into_iter(), queued.place);
        }
        queued.first
    }
}

impl<T> Drop for QueueReceiver<T> {
    fn drop(&mut self) {
        self.room.close();
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// The future's output, if it is ready at once.
    fn at_once<F: Future>(future: F) -> Option<F::Output> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn what_fits_goes_together_and_the_rest_waits() {
        let (sender, mut receiver) = bytes_bounded::<u8>(1000, "test", "t");
        let mut waiting: VecDeque<(u8, usize)> = (1..=5).map(|item| (item, 200)).collect();
        assert!(sender.send_what_fits(&mut waiting, |item| item).is_ok());
        assert_eq!(waiting.len(), 2, "three of 328 bytes fit into 1000");
        assert!(sender.send_what_fits(&mut waiting, |item| item).is_ok());
        assert_eq!(waiting.len(), 2);
        for item in 1..=3 {
            assert_eq!(receiver.recv().await, Some(item));
        }
        // The room is free once the receiver asks for more.
        let more = tokio::spawn(async move { (receiver.recv().await, receiver) });
        while !sender.is_half_free() {
            tokio::task::yield_now().await;
        }
        assert!(sender.send_what_fits(&mut waiting, |item| item).is_ok());
        assert!(waiting.is_empty());
        let (next, mut receiver) = more.await.unwrap();
        assert_eq!((next, receiver.at_hand(), receiver.at_hand()), (Some(4), Some(5), None));
        // An oversized item goes alone.
        let mut waiting = VecDeque::from([(6, 5000), (7, 1)]);
        let more = tokio::spawn(async move { (receiver.recv().await, receiver) });
        while waiting.len() == 2 {
            assert!(sender.send_what_fits(&mut waiting, |item| item).is_ok());
            tokio::task::yield_now().await;
        }
        let (next, receiver) = more.await.unwrap();
        assert_eq!((next, waiting.len()), (Some(6), 1));
        drop(receiver);
        assert!(sender.send_what_fits(&mut waiting, |item| item).is_err());
    }

    #[tokio::test]
    async fn bound_is_in_bytes_and_a_giant_passes_alone() {
        let (sender, mut receiver) = bytes_bounded::<u8>(1000, "test", "t");
        assert!(at_once(sender.send(1, 5000)).is_some());
        assert!(at_once(sender.send(2, 1)).is_none(), "no room");
        assert_eq!(receiver.recv().await, Some(1));
        assert!(at_once(sender.send(2, 1)).is_some());
        assert!(at_once(sender.send(3, 1)).is_some());
        drop(receiver);
        assert!(sender.send(4, 1).await.is_err());
        assert!(sender.send(5, 5000).await.is_err());
    }
}
