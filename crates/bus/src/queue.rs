use std::sync::Arc;

use metrics::{Counter, Gauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// What an item costs beside its content, so that a flood of empty records is bounded too.
const ITEM_BYTES: usize = 128;

/// A channel that is bounded by the bytes of what waits in it: records differ from bytes to megabytes. An item larger than
/// the whole bound passes alone.
pub(crate) fn bytes_bounded<T>(bytes: usize, queue: &'static str, name: &str) -> (QueueSender<T>, QueueReceiver<T>) {
    let capacity = bytes.clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
    let room = Arc::new(Semaphore::new(capacity));
    let (items, receiver) = mpsc::unbounded_channel();
    let name = name.to_owned();
    let held = metrics::gauge!("vedette_bus_queue_bytes", "queue" => queue, "name" => name.clone());
    let waits = metrics::counter!("vedette_bus_queue_waits_total", "queue" => queue, "name" => name);
    let sender = QueueSender { items, room: Arc::clone(&room), capacity, held, waits };
    (sender, QueueReceiver { items: receiver, room })
}

struct Queued<T> {
    item: T,
    // Both give back on drop, also when the receiver goes away with items inside.
    _room: Option<OwnedSemaphorePermit>,
    _held: Option<Held>,
}

struct Held(Gauge, f64);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.decrement(self.1);
    }
}

/// The end that fills the channel.
pub(crate) struct QueueSender<T> {
    items: mpsc::UnboundedSender<Queued<T>>,
    room: Arc<Semaphore>,
    capacity: usize,
    held: Gauge,
    waits: Counter,
}

/// The other side is gone.
#[derive(Debug)]
pub(crate) struct QueueClosed;

/// Why [`QueueSender::try_send`] did not take an item, which comes back.
pub(crate) enum NotSent<T> {
    /// No room now.
    Full(T),
    /// The receiver is gone.
    Closed,
}

impl<T> QueueSender<T> {
    fn weight(&self, bytes: usize) -> u32 {
        // `capacity` fits in u32.
        bytes.saturating_add(ITEM_BYTES).min(self.capacity) as u32
    }

    fn push(&self, item: T, weight: u32, room: OwnedSemaphorePermit) -> Result<(), QueueClosed> {
        self.held.increment(f64::from(weight));
        let held = Held(self.held.clone(), f64::from(weight));
        self.items.send(Queued { item, _room: Some(room), _held: Some(held) }).map_err(|_| QueueClosed)
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
        self.push(item, weight, room)
    }

    /// Never waits.
    pub(crate) fn try_send(&self, item: T, bytes: usize) -> Result<(), NotSent<T>> {
        if self.items.is_closed() {
            return Err(NotSent::Closed);
        }
        let weight = self.weight(bytes);
        let Ok(room) = Arc::clone(&self.room).try_acquire_many_owned(weight) else {
            return Err(NotSent::Full(item));
        };
        self.push(item, weight, room).map_err(|_| NotSent::Closed)
    }

    /// Whether [`Self::try_send`] would find room; one task alone may rely on that.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.room.available_permits() >= self.weight(bytes) as usize || self.is_closed()
    }

    /// Whether at least half of the bound is free.
    pub(crate) fn is_half_free(&self) -> bool {
        self.room.available_permits() >= self.capacity / 2
    }

    /// Passes an item beside the bound; for rare ones that must not wait.
    pub(crate) fn force_send(&self, item: T) {
        let _ = self.items.send(Queued { item, _room: None, _held: None });
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

/// The end that empties the channel.
pub(crate) struct QueueReceiver<T> {
    items: mpsc::UnboundedReceiver<Queued<T>>,
    room: Arc<Semaphore>,
}

impl<T> QueueReceiver<T> {
    /// The next item; `None` when the sender is gone and all is taken. Safe to cancel.
    pub(crate) async fn recv(&mut self) -> Option<T> {
        self.items.recv().await.map(|queued| queued.item)
    }
}

impl<T> Drop for QueueReceiver<T> {
    fn drop(&mut self) {
        self.room.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bound_is_in_bytes_and_a_giant_passes_alone() {
        let (sender, mut receiver) = bytes_bounded::<u8>(1000, "test", "t");
        assert!(sender.try_send(1, 5000).is_ok());
        assert!(matches!(sender.try_send(2, 1), Err(NotSent::Full(2))));
        assert_eq!(receiver.recv().await, Some(1));
        assert!(sender.try_send(2, 1).is_ok());
        assert!(sender.try_send(3, 1).is_ok());
        drop(receiver);
        assert!(matches!(sender.try_send(4, 1), Err(NotSent::Closed)));
        assert!(sender.send(5, 5000).await.is_err());
    }
}
