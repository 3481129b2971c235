//! Reading outside any group.

use std::sync::Arc;

use tokio::sync::Notify;

use super::feed::Feed;
use super::process::Process;
use crate::queue::{QueueSender, bytes_bounded};
use crate::{BusError, Delivered, Reader, Watermarks, topic as names};

/// A reader of `topic`, whose bounds are `bounds`, from `starts` on.
pub(super) fn start(
    process: &Arc<Process>,
    topic: &Arc<str>,
    bounds: &[Watermarks],
    starts: Vec<(u32, u64)>,
) -> Reader {
    let ends = names::ends(bounds, &starts);
    let (queue, records) = bytes_bounded(process.shared.settings.receive_queue_bytes, "reader", topic);
    let queue = Arc::new(queue);
    let mut feed = Feed::new(process, Arc::clone(&queue), |record| record);
    for (partition, next) in starts {
        feed.begin((Arc::clone(topic), partition), next);
    }
    let wake = Arc::new(Notify::new());
    if let Ok(topic) = process.shared.state().topic(topic) {
        topic.follow(&wake);
    }
    tokio::spawn(run(Arc::clone(process), feed, queue, wake));
    Reader { records, ends }
}

/// Until the reader is dropped.
async fn run(
    process: Arc<Process>,
    mut feed: Feed<Delivered>,
    queue: Arc<QueueSender<Result<Delivered, BusError>>>,
    wake: Arc<Notify>,
) {
    loop {
        process.pass().await;
        let changed = process.shared.changed.notified();
        tokio::select! {
            biased;
            () = changed => {}
            () = queue.closed() => return,
            () = wake.notified() => {}
            () = feed.advance() => {}
        }
    }
}
