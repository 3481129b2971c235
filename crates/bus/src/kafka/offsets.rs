//! Requests offsets from brokers: per partition no more than needed, in one request to each broker that leads any of them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use super::client_log::LoggingContext;
use super::config;
use super::error::{bus_error, is_passing};
use super::settings::KafkaSettings;
use super::topic::Topic;
use crate::{BusError, StartAt, Watermarks, topic as names};

/// Pause before brokers are asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The committed offsets of a group, by its full name. Asking does not join it. Blocks.
pub(super) fn committed(settings: &KafkaSettings, group: &str, topic: &Topic) -> Result<Vec<(u32, u64)>, BusError> {
    let failed = |error: KafkaError| bus_error("ask for commits", &topic.name, &settings.brokers, &error);
    let consumer: BaseConsumer<LoggingContext> =
        config::member(settings, group).create_with_context(LoggingContext).map_err(failed)?;
    let mut asked = TopicPartitionList::new();
    for partition in 0..topic.facts.partitions {
        asked.add_partition(&topic.full_name, i32::try_from(partition).unwrap_or(i32::MAX));
    }
    let found = consumer.committed_offsets(asked, settings.request_timeout).map_err(failed)?;
    let of = |element: TopicPartitionListElem<'_>| match element.offset() {
        Offset::Offset(next) => Some((u32::try_from(element.partition()).ok()?, u64::try_from(next).ok()?)),
        _ => None,
    };
    Ok(found.elements().into_iter().filter_map(of).collect())
}

/// Start and current end offsets of a reader, by partition.
pub(super) struct Span {
    pub(super) starts: Vec<(u32, u64)>,
    pub(super) ends: Vec<(u32, u64)>,
}

/// Queries one topic until brokers answer or time is up.
pub(super) struct Offsets<'a> {
    consumer: &'a BaseConsumer<LoggingContext>,
    topic: &'a Topic,
    deadline: Instant,
}

impl<'a> Offsets<'a> {
    pub(super) fn new(consumer: &'a BaseConsumer<LoggingContext>, topic: &'a Topic, timeout: Duration) -> Self {
        Self { consumer, topic, deadline: Instant::now() + timeout }
    }

    /// The bounds of each partition, in two requests to each broker.
    pub(super) fn watermarks(&self) -> KafkaResult<Vec<Watermarks>> {
        self.bounds(&self.all())
    }

    /// The span of a reader that begins at `start`.
    pub(super) fn span(&self, start: &StartAt) -> KafkaResult<Span> {
        let (starts, bounds) = match start {
            StartAt::Earliest => {
                let bounds = self.watermarks()?;
                (bounds.iter().map(|bound| (bound.partition, bound.low)).collect(), bounds)
            }
            // There is nothing to catch up with.
            StartAt::Latest => (self.ask_all(&self.all(), Offset::End)?, Vec::new()),
            StartAt::Offsets(offsets) => {
                let partitions: BTreeSet<u32> = offsets.iter().map(|(partition, _)| *partition).collect();
                (offsets.clone(), self.bounds(&Vec::from_iter(partitions))?)
            }
            StartAt::TimeMs(time_ms) => {
                let highs = self.ask_all(&self.all(), Offset::End)?;
                let found = self.ask(&self.all(), Offset::Offset(*time_ms))?;
                // Where no record is that recent: the next one.
                let starts = found.into_iter().zip(&highs).map(|((id, at), (_, high))| (id, at.unwrap_or(*high)));
                // A record that was found is retained, so the lows do not matter.
                let bounds =
                    highs.iter().map(|(partition, high)| Watermarks { partition: *partition, low: 0, high: *high });
                (starts.collect(), bounds.collect())
            }
        };
        Ok(Span { ends: names::ends(&bounds, &starts), starts })
    }

    fn all(&self) -> Vec<u32> {
        (0..self.topic.facts.partitions).collect()
    }

    fn bounds(&self, partitions: &[u32]) -> KafkaResult<Vec<Watermarks>> {
        let (lows, highs) = (self.ask_all(partitions, Offset::Beginning)?, self.ask_all(partitions, Offset::End)?);
        let bounds = lows.into_iter().zip(highs);
        Ok(bounds.map(|((partition, low), (_, high))| Watermarks { partition, low, high: high.max(low) }).collect())
    }

    /// The offset of each partition for `wanted`, when each has one.
    fn ask_all(&self, partitions: &[u32], wanted: Offset) -> KafkaResult<Vec<(u32, u64)>> {
        let found = self.ask(partitions, wanted)?.into_iter();
        let known = |(partition, offset): (u32, Option<u64>)| {
            Ok((partition, offset.ok_or(KafkaError::OffsetFetch(Code::OffsetNotAvailable))?))
        };
        found.map(known).collect()
    }

    /// The offset of each partition for `wanted`: an end of it, or a time in milliseconds since the Unix epoch, which
    /// stands for the first record of that time or later, if any. During a change of leaders the brokers are asked
    /// again.
    fn ask(&self, partitions: &[u32], wanted: Offset) -> KafkaResult<Vec<(u32, Option<u64>)>> {
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.ask_once(partitions, wanted, left.max(ASK_AGAIN)) {
                Err(error) if error.rdkafka_error_code().is_some_and(is_passing) && left > ASK_AGAIN => {
                    std::thread::sleep(ASK_AGAIN);
                    // Leaders are cached; only this refreshes them.
                    let _ = self.consumer.fetch_metadata(Some(&self.topic.full_name), left);
                }
                outcome => return outcome,
            }
        }
    }

    fn ask_once(&self, partitions: &[u32], wanted: Offset, timeout: Duration) -> KafkaResult<Vec<(u32, Option<u64>)>> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let full_name = &self.topic.full_name;
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition_offset(full_name, *partition as i32, wanted)?;
        }
        let found = self.consumer.offsets_for_times(list, timeout)?;
        let of = |partition: &u32| {
            let element = found.find_partition(full_name, *partition as i32);
            let element = element.ok_or(KafkaError::OffsetFetch(Code::UnknownPartition))?;
            element.error()?;
            match element.offset() {
                Offset::Offset(offset) => Ok((*partition, Some(u64::try_from(offset).unwrap_or_default()))),
                _ => Ok((*partition, None)),
            }
        };
        partitions.iter().map(of).collect()
    }
}
