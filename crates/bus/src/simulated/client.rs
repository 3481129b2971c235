use std::sync::Arc;

use async_trait::async_trait;

use super::brokers::{Shared, State};
use super::lane::{Outbox, Parcel};
use super::log::Topic;
use super::process::{Mode, Process};
use super::settings::Faults;
use super::trace::TraceEvent;
use super::{member, reader};
use crate::{
    Bus, BusError, Delivered, Delivery, Reader, Record, StartAt, Subscription, TopicSpec, Watermarks, partition_of,
    topic as names,
};

/// One process on a simulated bus, cheap to clone. Its clones are the same process.
#[derive(Clone)]
pub struct Client {
    process: Arc<Process>,
    outbox: Arc<Outbox>,
}

impl Client {
    pub(super) fn new(shared: Arc<Shared>, name: &str, number: u64) -> Self {
        let outbox = Arc::new(Outbox::new(shared.settings.send_queue_bytes));
        Self { process: Arc::new(Process::new(shared, name, number)), outbox }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.process.name
    }

    /// Ends the process as `kill -9` does: unsent records are lost, none of its calls ever returns, and the
    /// cluster notices when its session times out. Crash it before you drop the code above it: a dropped subscription
    /// leaves its group in good order.
    pub fn crash(&self) {
        self.process.set_mode(Mode::Crashed, TraceEvent::Crashed);
    }

    /// Pauses the process as `SIGSTOP` does, or resumes it. All its requests to the bus wait meanwhile.
    pub fn set_silent(&self, silent: bool) {
        if silent {
            self.process.set_mode(Mode::Silent, TraceEvent::Silenced);
        } else {
            self.process.set_mode(Mode::Running, TraceEvent::Woke);
        }
    }

    /// Sets the faults from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.process.set_faults(faults);
    }
}

fn start_offsets(topic: &Topic, start: &StartAt) -> Result<Vec<(u32, u64)>, BusError> {
    let bounds = topic.watermarks();
    match start {
        StartAt::Earliest => Ok(bounds.iter().map(|bound| (bound.partition, bound.low)).collect()),
        StartAt::Latest => Ok(bounds.iter().map(|bound| (bound.partition, bound.high)).collect()),
        StartAt::TimeMs(time_ms) => Ok(topic.offsets_of_time(*time_ms)),
        StartAt::Offsets(offsets) => {
            offsets.iter().try_for_each(|(partition, _)| topic.partition(*partition).map(drop))?;
            Ok(offsets.clone())
        }
    }
}

#[async_trait]
impl Bus for Client {
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), BusError> {
        topics.iter().try_for_each(names::check_spec)?;
        let ensure = |state: &mut State, spec: &TopicSpec| {
            state.topics.entry(spec.name.clone()).or_insert_with(|| Topic::new(spec)).fits(spec)
        };
        self.process.call(|state| topics.iter().try_for_each(|spec| ensure(state, spec))).await
    }

    async fn send(&self, topic: &str, record: Record) -> Result<Delivery, BusError> {
        self.process.pass().await;
        let (topic, partitions, limit) = self.process.topic(topic).await?;
        let size = record.size();
        if size > limit {
            return Err(BusError::TooLarge { topic: topic.to_string(), size, limit });
        }
        let room = self.outbox.room(size).await?;
        // The process may have been paused, or have crashed, since it began to wait.
        self.process.pass().await;
        let place = (topic, partition_of(&record.key, partitions));
        let (reply, delivery) = Delivery::new();
        Outbox::put(&self.outbox, &self.process, place, Parcel::new(record, reply, room));
        Ok(delivery)
    }

    async fn subscribe(&self, group: &str, topics: &[&str]) -> Result<Subscription, BusError> {
        names::check_name("group", group)?;
        let mut of = Vec::new();
        for topic in topics {
            self.process.pass().await;
            let (name, partitions, _) = self.process.topic(topic).await?;
            of.push((name, partitions));
        }
        Ok(member::start(&self.process, group, of))
    }

    async fn read(&self, topic: &str, start: StartAt) -> Result<Reader, BusError> {
        let begin = |state: &mut State| {
            let topic = state.topic(topic)?;
            Ok((Arc::clone(&topic.name), topic.watermarks(), start_offsets(topic, &start)?))
        };
        let (name, bounds, starts) = self.process.call(begin).await?;
        Ok(reader::start(&self.process, &name, &bounds, starts))
    }

    async fn fetch(&self, topic: &str, partition: u32, offset: u64) -> Result<Option<Delivered>, BusError> {
        self.process.call(|state| state.topic(topic)?.get(partition, offset)).await
    }

    async fn watermarks(&self, topic: &str) -> Result<Vec<Watermarks>, BusError> {
        self.process.call(|state| Ok(state.topic(topic)?.watermarks())).await
    }

    async fn flush(&self) -> Result<(), BusError> {
        self.process.pass().await;
        self.outbox.flush().await;
        self.process.pass().await;
        Ok(())
    }

    /// Members leave when their subscriptions are dropped.
    async fn close(&self) -> Result<(), BusError> {
        self.flush().await
    }
}
