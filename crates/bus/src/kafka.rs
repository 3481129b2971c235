//! Apache Kafka through librdkafka: the bus of many machines.
//!
//! Each subscription and reader has one thread that polls and never waits; when its queue is full, fetching pauses and
//! polling continues, so that the member stays in its group. Only requested offsets are committed; a commit is sent
//! within 200 ms, and before the partition is reassigned. Records are acknowledged by all in-sync replicas.

mod admin;
mod client_log;
mod config;
mod error;
mod feed;
mod member;
mod membership;
mod message;
mod offsets;
mod probe;
mod producer;
mod reader;
mod settings;
mod topic;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rdkafka::admin::AdminClient;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult};
use tokio_util::sync::CancellationToken;

use crate::queue::bytes_bounded;
use crate::{
    Bus, BusError, Committer, Delivered, Delivery, GroupEvent, Reader, Record, StartAt, Subscription, TopicSpec,
    Watermarks, topic as names,
};
use client_log::LoggingContext;
pub use config::KafkaMistake;
use error::{bus_error, refused};
use feed::Feed;
use member::{Callbacks, Leave, Shared};
use offsets::{Offsets, Span};
use producer::Producers;
pub use settings::{GroupProtocol, KafkaSettings};
use topic::Topic;

/// How long dropping the bus waits for records in flight.
const LAST_FLUSH: Duration = Duration::from_secs(5);
/// Longest uninterruptible wait for records in flight.
const FLUSH_SLICE: Duration = Duration::from_millis(250);
/// How long closing the bus waits to leave the groups, for which brokers must answer.
const LEAVE: Duration = Duration::from_secs(12);
/// Its polling interval.
const LEAVE_STEP: Duration = Duration::from_millis(5);
/// How long the settings of a topic may take to reach all brokers.
const SETTLE: Duration = Duration::from_secs(5);
/// Pause before they are queried again.
const SETTLE_STEP: Duration = Duration::from_millis(200);

/// A Kafka cluster as the bus.
pub struct KafkaBus {
    inner: Arc<Inner>,
}

struct Inner {
    settings: KafkaSettings,
    admin: AdminClient<LoggingContext>,
    producers: Producers,
    /// Queries offsets; reads single records, one at a time.
    fetcher: BaseConsumer<LoggingContext>,
    fetching: Mutex<()>,
    topics: RwLock<HashMap<String, Arc<Topic>>>,
    /// The threads of group members, until they have left.
    members: Mutex<Vec<JoinHandle<()>>>,
    closed: CancellationToken,
}

impl KafkaBus {
    /// Connects to the cluster.
    ///
    /// # Errors
    /// When a setting is wrong, or no broker answers within `request_timeout`.
    pub async fn connect(settings: KafkaSettings) -> Result<Arc<Self>, BusError> {
        config::check(&settings)?;
        let wrong = |error: KafkaError| refused("connect", &settings.brokers, error.to_string());
        let inner = Inner {
            admin: config::admin(&settings).create_with_context(LoggingContext).map_err(wrong)?,
            producers: Producers::new(&settings).map_err(wrong)?,
            fetcher: config::fetcher(&settings).create_with_context(LoggingContext).map_err(wrong)?,
            fetching: Mutex::default(),
            topics: RwLock::default(),
            members: Mutex::default(),
            closed: CancellationToken::new(),
            settings,
        };
        let bus = Arc::new(Self { inner: Arc::new(inner) });
        bus.inner.partitions(None).await?;
        Ok(bus)
    }
}

impl Drop for KafkaBus {
    fn drop(&mut self) {
        self.inner.close();
        if let Err(error) = self.inner.producers.flush(LAST_FLUSH) {
            tracing::error!(%error, "records were not delivered before the bus was dropped");
        }
    }
}

impl Inner {
    fn close(&self) {
        self.closed.cancel();
        self.producers.close();
    }

    fn members(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all members have left their groups. Blocks.
    fn leave(&self) -> Result<(), BusError> {
        let since = Instant::now();
        while self.members().iter().any(|member| !member.is_finished()) && since.elapsed() < LEAVE {
            std::thread::sleep(LEAVE_STEP);
        }
        Ok(())
    }

    fn open_check(&self) -> Result<(), BusError> {
        if self.closed.is_cancelled() { Err(BusError::Closed) } else { Ok(()) }
    }

    fn full_name(&self, topic: &str) -> String {
        if self.settings.foreign_topics.contains(topic) { topic.to_owned() } else { self.prefixed(topic) }
    }

    fn prefixed(&self, name: &str) -> String {
        format!("{}{name}", self.settings.topic_prefix)
    }

    /// Runs blocking broker requests off the async threads.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> Result<T, BusError> + Send + 'static,
    ) -> Result<T, BusError> {
        let inner = Arc::clone(self);
        // The task can only fail when the runtime ends.
        tokio::task::spawn_blocking(move || work(&inner)).await.unwrap_or(Err(BusError::Closed))
    }

    /// Waits until nothing is in flight, in slices: cancelling the wait leaves no uninterruptible call behind.
    async fn flush(self: &Arc<Self>) -> Result<(), BusError> {
        let deadline = Instant::now() + self.settings.delivery_timeout;
        loop {
            match self.blocking(|inner| inner.producers.flush(FLUSH_SLICE)).await {
                Err(BusError::Unreachable { .. }) if Instant::now() < deadline => {}
                outcome => return outcome,
            }
        }
    }

    /// The partitions of one topic, by its full name, or of every topic.
    async fn partitions(self: &Arc<Self>, topic: Option<String>) -> Result<HashMap<String, u32>, BusError> {
        self.blocking(move |inner| {
            let Self { fetcher, settings, .. } = inner;
            admin::partitions(fetcher.client(), topic.as_deref(), &settings.brokers, settings.request_timeout)
        })
        .await
    }

    fn known(&self, topic: &str) -> Option<Arc<Topic>> {
        self.topics.read().unwrap_or_else(PoisonError::into_inner).get(topic).cloned()
    }

    /// The topic, cached or from the cluster.
    async fn topic(self: &Arc<Self>, topic: &str) -> Result<Arc<Topic>, BusError> {
        self.open_check()?;
        if let Some(known) = self.known(topic) {
            return Ok(known);
        }
        let full_name = self.full_name(topic);
        let Some(count) = self.partitions(Some(full_name.clone())).await?.get(&full_name).copied() else {
            return Err(BusError::UnknownTopic(topic.to_owned()));
        };
        self.learn(topic, count).await
    }

    async fn learn(&self, topic: &str, partitions: u32) -> Result<Arc<Topic>, BusError> {
        let full_name = self.full_name(topic);
        let facts = admin::facts(&self.admin, &self.settings, &full_name, partitions).await?;
        let known = Arc::new(Topic::new(topic, full_name, facts));
        self.topics.write().unwrap_or_else(PoisonError::into_inner).insert(topic.to_owned(), known.clone());
        Ok(known)
    }

    /// Waits until the topic satisfies `spec`: the brokers of a cluster learn a new topic's settings one after the other.
    async fn settle(&self, spec: &TopicSpec, full_name: &str, partitions: u32) -> Result<(), BusError> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let learned = self.learn(&spec.name, partitions).await;
            match learned.and_then(|topic| admin::fits(&topic.facts, spec, full_name)) {
                Err(BusError::TopicMismatch { .. } | BusError::UnknownTopic(_)) if Instant::now() < deadline => {
                    tokio::time::sleep(SETTLE_STEP).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Queries brokers for offsets of `topic`. Blocks.
    fn offsets<T>(&self, topic: &Topic, ask: impl FnOnce(&Offsets) -> KafkaResult<T>) -> Result<T, BusError> {
        ask(&Offsets::new(&self.fetcher, topic, self.settings.request_timeout))
            .map_err(|error| bus_error("ask for offsets", &topic.name, &self.settings.brokers, &error))
    }
}

fn spawn(name: String, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, BusError> {
    let thread = std::thread::Builder::new().name(name.clone()).spawn(work);
    thread.map_err(|error| BusError::NoThread { of: name, cause: error.to_string() })
}

#[async_trait]
impl Bus for KafkaBus {
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), BusError> {
        let inner = &self.inner;
        inner.open_check()?;
        for spec in topics {
            names::check_spec(spec)?;
        }
        let existing = inner.partitions(None).await?;
        for spec in topics {
            let full_name = inner.full_name(&spec.name);
            let count = match existing.get(&full_name) {
                Some(count) => *count,
                None => {
                    admin::create(&inner.admin, &inner.settings, &full_name, spec).await?;
                    let name = full_name.clone();
                    let work =
                        move |inner: &Inner| admin::await_leaders(inner.fetcher.client(), &inner.settings, &name);
                    inner.blocking(work).await?
                }
            };
            inner.settle(spec, &full_name, count).await?;
        }
        Ok(())
    }

    async fn send(&self, topic: &str, record: Record) -> Result<Delivery, BusError> {
        let topic = match self.inner.known(topic) {
            Some(known) => known,
            // Boxed, since it takes kilobytes, which each call would allocate.
            None => Box::pin(self.inner.topic(topic)).await?,
        };
        let (size, limit) = (record.size(), topic.facts.max_record_bytes);
        if size > limit {
            return Err(BusError::TooLarge { topic: topic.name.to_string(), size, limit });
        }
        self.inner.producers.send(&topic, &record).await
    }

    async fn subscribe(&self, group: &str, topics: &[&str]) -> Result<Subscription, BusError> {
        names::check_name("group", group)?;
        let inner = &self.inner;
        let mut map = HashMap::new();
        for topic in topics {
            let topic = inner.topic(topic).await?;
            map.insert(topic.full_name.clone(), Arc::clone(&topic.name));
        }
        let settings = &inner.settings;
        let full_names: Vec<String> = map.keys().cloned().collect();
        let full_group = inner.prefixed(group);
        let shared = Shared::new(group, &settings.brokers, map, settings.revoke_timeout, inner.closed.clone());
        let shared = Arc::new(shared);
        let (queue, events) = bytes_bounded(settings.receive_queue_bytes, "group", group);
        let feed = Mutex::new(Feed::new(queue, GroupEvent::Record));
        let callbacks = Callbacks { shared: Arc::clone(&shared), feed };
        let failed = |error: KafkaError| bus_error("subscribe", group, &settings.brokers, &error);
        let consumer: BaseConsumer<Callbacks> =
            config::member(settings, &full_group).create_with_context(callbacks).map_err(failed)?;
        let list: Vec<&str> = full_names.iter().map(String::as_str).collect();
        consumer.subscribe(&list).map_err(failed)?;
        let member = spawn(format!("kafka-{group}"), move || {
            member::run(&consumer);
            // Here the consumer is dropped, which closes it.
        })?;
        inner.members().retain(|member| !member.is_finished());
        inner.members().push(member);
        let committer = Committer(Arc::<Shared>::clone(&shared));
        Ok(Subscription { events, committer, _leave: Box::new(Leave(shared)) })
    }

    async fn read(&self, topic: &str, start: StartAt) -> Result<Reader, BusError> {
        let topic = self.inner.topic(topic).await?;
        if let StartAt::Offsets(offsets) = &start {
            offsets.iter().try_for_each(|(partition, _)| topic.check(*partition))?;
        }
        let name = Arc::clone(&topic.name);
        let settings = &self.inner.settings;
        let failed = |error: KafkaError| bus_error("read", &name, &settings.brokers, &error);
        let consumer: BaseConsumer<LoggingContext> =
            config::reader(settings).create_with_context(LoggingContext).map_err(failed)?;
        let prepare = move |inner: &Inner| {
            let Span { starts, ends } = inner.offsets(&topic, |offsets| offsets.span(&start))?;
            reader::assignment(&topic.full_name, &starts)
                .and_then(|list| consumer.assign(&list))
                .map_err(|error| bus_error("read", &topic.name, &inner.settings.brokers, &error))?;
            Ok((consumer, ends))
        };
        let (consumer, ends) = self.inner.blocking(prepare).await?;
        let (queue, records) = bytes_bounded(settings.receive_queue_bytes, "reader", &name);
        let (brokers, closed) = (settings.brokers.clone(), self.inner.closed.clone());
        spawn(format!("kafka-{name}"), move || {
            reader::run(&consumer, Feed::new(queue, |record| record), &name, &brokers, &closed);
        })
        .map(drop)?;
        Ok(Reader { records, ends })
    }

    async fn fetch(&self, topic: &str, partition: u32, offset: u64) -> Result<Option<Delivered>, BusError> {
        let topic = self.inner.topic(topic).await?;
        topic.check(partition)?;
        let work = move |inner: &Inner| {
            let settings = &inner.settings;
            let _turn = inner.fetching.lock().unwrap_or_else(PoisonError::into_inner);
            let at = (partition, offset);
            reader::fetch(
                &inner.fetcher,
                &topic.full_name,
                &topic.name,
                at,
                &settings.brokers,
                settings.request_timeout,
            )
        };
        self.inner.blocking(work).await
    }

    async fn watermarks(&self, topic: &str) -> Result<Vec<Watermarks>, BusError> {
        let topic = self.inner.topic(topic).await?;
        self.inner.blocking(move |inner| inner.offsets(&topic, |offsets| offsets.watermarks())).await
    }

    async fn committed(&self, group: &str, topic: &str) -> Result<Vec<(u32, u64)>, BusError> {
        let topic = self.inner.topic(topic).await?;
        let group = self.inner.prefixed(group);
        self.inner.blocking(move |inner| offsets::committed(&inner.settings, &group, &topic)).await
    }

    async fn flush(&self) -> Result<(), BusError> {
        self.inner.open_check()?;
        self.inner.flush().await
    }

    async fn close(&self) -> Result<(), BusError> {
        self.inner.close();
        let (flushed, left) = tokio::join!(self.inner.flush(), self.inner.blocking(Inner::leave));
        flushed.and(left)
    }
}
