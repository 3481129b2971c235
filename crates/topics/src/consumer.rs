//! The one consumer loop of all stages in a group: it decodes or dead-letters records, applies back-pressure, commits offsets
//! once their effects are durable, hands partitions over, and reports the stage's health.

use std::any::Any;
use std::collections::BTreeMap;
use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use vedette_bus::{BusError, Committer, Delivered, Delivery, GroupEvent, Position, SharedBus, Subscription};
use vedette_core::CameraId;
use vedette_runtime::health::{Condition, Health};
use vedette_wire::DeadLetterReason;

use crate::bus_watch;
use crate::dead_letters::{self, Refusal};
use crate::error::{During, TopicError};
pub use crate::ledger::commit;
pub use crate::offsets::Offsets;
use crate::span;

const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// Most events processed in one burst, before anything else is polled.
const BURST: usize = 256;

/// When the effects of a record are durable, so that its offset may be committed.
pub enum Effect {
    /// Already.
    Durable,
    /// Once this resolves. A bus error ends the stage; the record is delivered again.
    Pending(BoxFuture<'static, Result<(), BusError>>),
}

/// A stage that reads topics as a member of a consumer group.
pub trait Consumer: Send {
    /// Whether it commits at its own checkpoints instead of record by record.
    const CHECKPOINTS: bool = false;
    /// The decoded content of a record.
    type Message: Send;
    /// The error that ends the stage.
    type Error: From<TopicError> + Send;

    /// The consumer group.
    fn group(&self) -> String;

    /// The stage's name in logs, metrics and health.
    fn stage(&self) -> &'static str;

    /// The topics it reads.
    fn topics(&self) -> Vec<String>;

    /// The camera that a record is about, for the log: its key, unless the topic is of another producer.
    fn camera(&self, record: &Delivered) -> Option<CameraId> {
        span::camera_of(record)
    }

    /// Decodes a record. A refused record is dead-lettered; a panic is a refusal.
    fn read(&self, record: &Delivered) -> Result<Self::Message, Refusal>;

    /// Processes the next record of a partition.
    fn take(
        &mut self,
        record: Delivered,
        message: Self::Message,
        offsets: &mut Offsets,
    ) -> impl Future<Output = Result<Effect, Self::Error>> + Send;

    /// The dead letter of a refused record is in flight.
    fn dead_lettered(&mut self, _record: &Delivered, delivery: Delivery) -> Effect {
        Effect::Pending(delivery.map(|outcome| outcome.map(drop)).boxed())
    }

    /// The member joined its group.
    fn joined(&mut self, _committer: Committer) {}

    /// Whether it has room for more records; if not, reading pauses.
    fn has_room(&self) -> bool {
        true
    }

    /// Waits until it has work of its own. It is cancelled when something else is due, so it must be cancel-safe; work that is
    /// not belongs in [`Self::background_step`], which follows.
    fn work(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        pending()
    }

    /// Does work of its own between two bursts of records, after [`Self::work`], and while it is [not idle](Self::is_idle).
    fn background_step(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        ready(Ok(()))
    }

    /// Whether [`Self::background_step`] has nothing to do.
    fn is_idle(&self) -> bool {
        true
    }

    /// Called every second, before offsets are committed.
    fn tick(&mut self, _offsets: &mut Offsets) {}

    /// Its condition while the bus answers.
    fn condition(&self) -> (Condition, String) {
        (Condition::Running, String::new())
    }

    /// Partitions were assigned to it.
    fn assigned(&mut self, _partitions: &[(Arc<str>, u32)]) -> impl Future<Output = Result<(), Self::Error>> + Send {
        ready(Ok(()))
    }

    /// Partitions are being revoked: it finishes the work it has begun on them.
    fn revoked(&mut self, _partitions: &[(Arc<str>, u32)]) -> impl Future<Output = Result<(), Self::Error>> + Send {
        ready(Ok(()))
    }

    /// The stage ends: it finishes the work it has begun. After an error, it only releases resources.
    fn ending(&mut self, _after_error: bool) -> impl Future<Output = Result<(), Self::Error>> + Send {
        ready(Ok(()))
    }
}

/// Runs a consumer until `stop`; work in flight is then finished and committed.
///
/// # Errors
/// When the bus or the consumer refuses for good.
pub async fn run<C: Consumer>(
    consumer: C,
    bus: SharedBus,
    health: Health,
    stop: CancellationToken,
) -> Result<(), C::Error> {
    let topics = consumer.topics();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let (group, stage) = (consumer.group(), consumer.stage());
    let joining = bus.subscribe(&group, &topics).await;
    let mut subscription = joining.during(format!("joining group `{group}`"))?;
    let committer = subscription.committer();
    let (offsets, effects) = (Offsets::default(), FuturesUnordered::new());
    let in_hand = BTreeMap::new();
    let mut running = Running { stage, consumer, bus, health, committer, offsets, effects, in_hand, is_away: false };
    running.consumer.joined(running.committer.clone());
    running.say();
    let served = running.serve(&mut subscription, &stop).await;
    let ended = running.end(served.is_err()).await;
    served.and(ended)
}

struct Finished {
    position: Position,
    outcome: Result<(), BusError>,
}

struct Running<C> {
    stage: &'static str,
    consumer: C,
    bus: SharedBus,
    health: Health,
    committer: Committer,
    offsets: Offsets,
    effects: FuturesUnordered<BoxFuture<'static, Finished>>,
    /// Number of effects of each partition that are not durable yet.
    in_hand: BTreeMap<(Arc<str>, u32), usize>,
    /// Whether the bus was unreachable at the last attempt.
    is_away: bool,
}

/// Whether more events will follow.
#[derive(PartialEq)]
enum Goes {
    On,
    ToItsEnd,
}

impl<C: Consumer> Running<C> {
    async fn serve(&mut self, subscription: &mut Subscription, stop: &CancellationToken) -> Result<(), C::Error> {
        let mut commit = tokio::time::interval(COMMIT_EVERY);
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                Some(finished) = self.effects.next() => self.settle(finished)?,
                _ = commit.tick() => {
                    self.consumer.tick(&mut self.offsets);
                    if !self.is_away {
                        self.say();
                    }
                    self.offsets.commit(&self.committer, self.stage).await;
                }
                done = self.consumer.work() => done?,
                event = subscription.next(), if self.consumer.has_room() => {
                    if self.burst(event, subscription).await? == Goes::ToItsEnd {
                        return Ok(());
                    }
                }
                () = ready(()), if !self.consumer.is_idle() => {}
            }
            self.consumer.background_step().await?;
        }
    }

    /// Processes an event of the subscription and those already queued behind it.
    async fn burst(
        &mut self,
        first: Result<GroupEvent, BusError>,
        subscription: &mut Subscription,
    ) -> Result<Goes, C::Error> {
        let mut event = first;
        for _ in 1..BURST {
            if self.handle(event).await? == Goes::ToItsEnd {
                return Ok(Goes::ToItsEnd);
            }
            if !self.consumer.has_room() {
                return Ok(Goes::On);
            }
            event = match subscription.at_hand() {
                Some(event) => event,
                None => return Ok(Goes::On),
            };
        }
        self.handle(event).await
    }

    async fn handle(&mut self, event: Result<GroupEvent, BusError>) -> Result<Goes, C::Error> {
        match event {
            Ok(GroupEvent::Record(record)) => {
                let span = span::of_record(&record, || self.consumer.camera(&record));
                // Without a log there is nothing to enter and leave at each step.
                if span.is_disabled() {
                    self.take(record).await?;
                } else {
                    self.take(record).instrument(span).await?;
                }
            }
            Ok(GroupEvent::Assigned(partitions)) => {
                let numbers: Vec<u32> = partitions.iter().map(|(_, number)| *number).collect();
                tracing::info!(stage = self.stage, partitions = ?numbers, "partitions assigned");
                self.consumer.assigned(&partitions).await?;
                self.answers();
            }
            Ok(GroupEvent::Revoked(revocation)) => {
                self.consumer.revoked(&revocation.partitions).await?;
                self.drain(Some(&revocation.partitions)).await;
                self.offsets.forget(&revocation.partitions);
                revocation.done();
                self.say();
            }
            Err(BusError::Closed) => return Ok(Goes::ToItsEnd),
            Err(error @ BusError::Unreachable { .. }) => {
                bus_watch::away(&self.health, &error);
                self.is_away = true;
            }
            Err(error) => return Err(TopicError::from(error).into()),
        }
        Ok(Goes::On)
    }

    async fn take(&mut self, record: Delivered) -> Result<(), C::Error> {
        if self.is_away {
            self.answers();
        }
        let position = record.position.clone();
        let consumer = &mut self.consumer;
        let begin = |offsets: &mut Offsets| {
            if !C::CHECKPOINTS {
                offsets.begin(&position)
            }
        };
        let effect = match catch_unwind(AssertUnwindSafe(|| consumer.read(&record))).unwrap_or_else(refuse_panic) {
            Ok(message) => {
                begin(&mut self.offsets);
                consumer.take(record, message, &mut self.offsets).await?
            }
            Err(Refusal { reason, detail }) => {
                begin(&mut self.offsets);
                let sent = dead_letters::send(&self.bus, self.stage, &record, reason, &detail).await;
                let delivery = sent.map_err(TopicError::from)?;
                consumer.dead_lettered(&record, delivery)
            }
        };
        match effect {
            Effect::Durable => self.offsets.finish(&position),
            Effect::Pending(effect) => {
                *self.in_hand.entry((position.topic.clone(), position.partition)).or_default() += 1;
                let effect = effect.map(move |outcome| Finished { position, outcome });
                self.effects.push(effect.in_current_span().boxed());
            }
        }
        Ok(())
    }

    fn answers(&mut self) {
        self.is_away = false;
        self.say();
    }

    fn say(&self) {
        let (condition, detail) = self.consumer.condition();
        self.health.set(self.stage, condition, detail);
    }

    fn settle(&mut self, finished: Finished) -> Result<(), C::Error> {
        self.let_go(&finished.position);
        finished.outcome.during(format!("publishing the results of {}", finished.position))?;
        self.offsets.finish(&finished.position);
        Ok(())
    }

    async fn end(&mut self, after_error: bool) -> Result<(), C::Error> {
        let ended = self.consumer.ending(after_error).await;
        self.drain(None).await;
        ended
    }

    /// Waits for the effects of these partitions, or of all, and commits. Records whose effects failed are delivered again.
    async fn drain(&mut self, partitions: Option<&[(Arc<str>, u32)]>) {
        let mut others = Vec::new();
        let is_meant = |(topic, partition): (&Arc<str>, u32)| {
            partitions.is_none_or(|meant| meant.iter().any(|(name, number)| name == topic && *number == partition))
        };
        while self.in_hand.keys().any(|(topic, partition)| is_meant((topic, *partition)))
            && let Some(finished) = self.effects.next().await
        {
            let position = &finished.position;
            match &finished.outcome {
                Ok(()) => self.offsets.finish(position),
                // Deliberately left to the partition's next owner.
                Err(BusError::Closed) if is_meant((&position.topic, position.partition)) => {}
                Err(error) if is_meant((&position.topic, position.partition)) => {
                    tracing::warn!(stage = self.stage, record = %position, %error, "not finished; the record will be delivered again");
                }
                Err(_) => {
                    others.push(finished);
                    continue;
                }
            }
            self.let_go(&finished.position);
        }
        // They are reported when no handover is under way.
        self.effects.extend(others.into_iter().map(|finished| ready(finished).boxed()));
        self.offsets.commit(&self.committer, self.stage).await;
    }

    fn let_go(&mut self, position: &Position) {
        let key = (position.topic.clone(), position.partition);
        if let Some(count) = self.in_hand.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.in_hand.remove(&key);
            }
        }
    }
}

fn refuse_panic<M>(panic: Box<dyn Any + Send>) -> Result<M, Refusal> {
    Err(Refusal {
        reason: DeadLetterReason::Panic,
        detail: format!("panicked: {}", dead_letters::panic_message(&*panic)),
    })
}
