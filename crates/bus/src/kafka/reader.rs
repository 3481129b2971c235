use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::{Message, Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;

use super::client_log::LoggingContext;
use super::error::{bus_error, is_passing, unreachable_at};
use super::feed::Feed;
use super::message::{self, Copies};
use crate::{BusError, Delivered};

const POLL: Duration = Duration::from_millis(50);
const POLL_PAUSED: Duration = Duration::from_millis(5);

/// The assignment that begins at `offsets`.
pub(super) fn assignment(full_name: &str, offsets: &[(u32, u64)]) -> KafkaResult<TopicPartitionList> {
    let mut list = TopicPartitionList::new();
    for (partition, offset) in offsets {
        let offset = Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX));
        list.add_partition_offset(full_name, *partition as i32, offset)?;
    }
    Ok(list)
}

/// Polls until the reader is dropped or the bus is closed.
pub(super) fn run(
    consumer: &BaseConsumer<LoggingContext>,
    mut feed: Feed<Delivered>,
    topic: &Arc<str>,
    brokers: &str,
    closed: &CancellationToken,
) {
    while !closed.is_cancelled() && !feed.is_closed() {
        feed.settle(consumer, false);
        let mut patience = if feed.is_paused() { POLL_PAUSED } else { POLL };
        loop {
            match consumer.poll(patience) {
                None => break,
                Some(Ok(read)) if feed.record(&read, topic) => break,
                Some(Ok(_)) => {}
                Some(Err(error)) if error.rdkafka_error_code().is_some_and(is_passing) => {
                    feed.away(brokers, &error);
                }
                Some(Err(error)) => {
                    feed.event(Err(bus_error("read", topic, brokers, &error)));
                    if matches!(error, KafkaError::MessageConsumptionFatal(_)) {
                        return;
                    }
                }
            }
            patience = Duration::ZERO;
        }
    }
}

/// Reads the record at one offset; `None` when none exists there. Requests no offsets first: the broker refuses a missing
/// offset, which [`super::config::fetcher`] turns into an error, and reports the end of a partition. Blocks.
pub(super) fn fetch(
    consumer: &BaseConsumer<LoggingContext>,
    full_name: &str,
    topic: &Arc<str>,
    at: (u32, u64),
    brokers: &str,
    timeout: Duration,
) -> Result<Option<Delivered>, BusError> {
    let failed = |error: KafkaError| bus_error("fetch", topic, brokers, &error);
    // Drain late answers to an earlier fetch that timed out; errors do not say what they are about.
    while consumer.poll(Duration::ZERO).is_some() {}
    consumer.assign(&assignment(full_name, &[at]).map_err(failed)?).map_err(failed)?;
    let deadline = Instant::now() + timeout;
    let outcome = loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match consumer.poll(left) {
            // Of an earlier fetch.
            Some(Ok(read)) if read.topic() != full_name || read.partition() != at.0 as i32 => {}
            Some(Ok(read)) => {
                let read = message::delivered(&read, topic, &mut Copies::default());
                break Ok((read.position.offset == at.1).then_some(read));
            }
            Some(Err(KafkaError::PartitionEOF(partition))) if partition == at.0 as i32 => break Ok(None),
            Some(Err(KafkaError::PartitionEOF(_))) => {}
            Some(Err(error))
                if matches!(error.rdkafka_error_code(), Some(Code::OffsetOutOfRange | Code::AutoOffsetReset)) =>
            {
                break Ok(None);
            }
            // Recovers or times out.
            Some(Err(error)) if error.rdkafka_error_code().is_some_and(is_passing) => {}
            Some(Err(error)) => break Err(failed(error)),
            None if left.is_zero() => {
                break Err(unreachable_at(brokers, format!("no answer to a fetch from `{topic}` within {timeout:?}")));
            }
            None => {}
        }
    };
    consumer.unassign().map_err(failed)?;
    outcome
}
