//! Moves records from cursors into the queue of a subscription or reader, and follows the live end.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::cursor::Cursor;
use super::storage_error;
use super::topic::Topic;
use crate::queue::QueueSender;
use crate::{BusError, Delivered};

/// Bytes read from one partition per turn.
const TURN_BYTES: usize = 256 << 10;
/// Pause after a failed disk read.
const READ_RETRY: Duration = Duration::from_secs(1);

/// Ends when the other end of `queue` is dropped or the bus is `closed`.
pub(super) async fn pump<T: Send + 'static>(
    topic: Arc<Topic>,
    mut cursors: Vec<Cursor>,
    queue: Arc<QueueSender<Result<T, BusError>>>,
    wrap: fn(Delivered) -> T,
    closed: CancellationToken,
) {
    tokio::select! {
        () = closed.cancelled() => {}
        () = queue.closed() => {}
        () = run(&topic, &mut cursors, &queue, wrap) => {}
    }
}

async fn run<T: Send + 'static>(
    topic: &Arc<Topic>,
    cursors: &mut Vec<Cursor>,
    queue: &QueueSender<Result<T, BusError>>,
    wrap: fn(Delivered) -> T,
) {
    let mut changes = topic.changes();
    loop {
        changes.borrow_and_update();
        let mut moved = false;
        for _ in 0..cursors.len() {
            let mut cursor = cursors.remove(0);
            if !cursor.has_more() {
                cursors.push(cursor);
                continue;
            }
            let turn = tokio::task::spawn_blocking(move || {
                let read = cursor.read(TURN_BYTES);
                (cursor, read)
            });
            let Ok((cursor, read)) = turn.await else { return };
            let partition = Arc::clone(cursor.partition());
            cursors.push(cursor);
            match read {
                Ok(records) => {
                    moved |= !records.is_empty();
                    for record in records {
                        let bytes = record.record.size();
                        if queue.send(Ok(wrap(record)), bytes).await.is_err() {
                            return;
                        }
                    }
                }
                Err(error) => {
                    moved = true;
                    if queue.send(Err(storage_error(&partition.dir, &error)), 0).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(READ_RETRY).await;
                }
            }
        }
        if !moved && changes.changed().await.is_err() {
            return;
        }
    }
}
