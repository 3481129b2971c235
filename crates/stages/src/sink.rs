//! `alerts` to one external destination: at least once, in order per camera, with its own consumer group. While the destination
//! does not accept an alert, it is retried with back-off, and later ones wait on the bus. An alert that it refuses for good is
//! dead-lettered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, Delivered, SharedBus};
use vedette_core::{Alert, Backoff, Timestamp};
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::{Service, clock};
use vedette_topics::consumer::{self, Consumer, Effect, Offsets};
use vedette_topics::dead_letters::{self, Refusal};
use vedette_topics::in_order::InOrder;
use vedette_topics::topics;
use vedette_wire::DeadLetterReason;

use crate::deps::Deps;
use crate::error::StageError;
use crate::metrics;
use crate::registry::Registry;
use crate::sinks::SinkSettings;
use crate::sinks::{Deliver, Only, Undelivered};

/// Alerts in flight, of different cameras concurrently.
const IN_HAND: usize = 64;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Dependencies of the stage.
#[derive(Clone)]
pub struct Sink {
    /// `sink_NAME`, in logs, metrics and health.
    pub stage: &'static str,
    /// The consumer group, `sink-NAME`.
    pub group: String,
    /// Source of alerts.
    pub bus: SharedBus,
    /// Cameras, for their groups.
    pub registry: Registry,
    /// The filter of alerts.
    pub only: Only,
    /// Delivers them.
    pub deliver: Arc<dyn Deliver>,
    /// Clock that measures how long alerts have waited.
    pub now: fn() -> Timestamp,
    /// Where it reports its condition.
    pub health: Health,
}

impl SinkSettings {
    /// The service that delivers to `deliver`, which [`SinkSettings::open`] made.
    #[must_use]
    pub fn service(&self, deps: &Deps, deliver: Arc<dyn Deliver>) -> Service {
        // As many as there are sinks, once in the life of the process.
        let stage: &'static str = format!("sink_{}", self.name()).leak();
        let Deps { bus, registry, health, .. } = deps.clone();
        let sink = Sink {
            stage,
            group: format!("sink-{}", self.name()),
            bus,
            registry,
            only: self.only().clone(),
            deliver,
            now: clock::now,
            health,
        };
        Service::new(stage, move |stop| sink.clone().run(stop))
    }
}

impl Sink {
    /// Runs until `stop`. Undelivered alerts are delivered after the next start.
    ///
    /// # Errors
    /// When the bus refuses for good.
    pub async fn run(self, stop: CancellationToken) -> crate::Result<()> {
        let (bus, health) = (self.bus.clone(), self.health.clone());
        let state = Arc::default();
        let delivering = Delivering { sink: self, order: InOrder::default(), leave: BTreeMap::new(), state };
        consumer::run(delivering, bus, health, stop).await
    }
}

struct Delivering {
    sink: Sink,
    order: InOrder,
    /// Cancels the attempts for a partition's alerts.
    leave: BTreeMap<u32, CancellationToken>,
    state: Arc<State>,
}

/// State shared by the attempts of a sink.
#[derive(Default)]
struct State {
    in_hand: AtomicUsize,
    /// When the oldest alert in flight was raised, microseconds; 0 when there is none.
    oldest: AtomicI64,
    /// Why the last attempt failed; none once one has succeeded.
    failing: Mutex<Option<String>>,
}

impl State {
    fn failing(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Consumer for Delivering {
    type Error = StageError;
    type Message = Alert;

    fn group(&self) -> String {
        self.sink.group.clone()
    }

    fn stage(&self) -> &'static str {
        self.sink.stage
    }

    fn topics(&self) -> Vec<String> {
        vec![topics::ALERTS.name().to_owned()]
    }

    fn read(&self, record: &Delivered) -> Result<Alert, Refusal> {
        Ok(topics::ALERTS.read(record)?)
    }

    async fn take(&mut self, record: Delivered, alert: Alert, _: &mut Offsets) -> crate::Result<Effect> {
        let camera = self.sink.registry.camera(&alert.camera);
        if !self.sink.only.holds(&alert, camera.as_deref()) {
            return Ok(Effect::Durable);
        }
        let (sink, state) = (self.sink.clone(), self.state.clone());
        let leave = self.leave.entry(record.position.partition).or_default().clone();
        state.in_hand.fetch_add(1, Ordering::Relaxed);
        let stated = alert.ended.unwrap_or(alert.raised).as_micros();
        let _ = state.oldest.compare_exchange(0, stated, Ordering::Relaxed, Ordering::Relaxed);
        let camera = alert.camera.clone();
        let work = async move { sink.deliver(&record, &alert, &state, &leave).await };
        let (effect, state) = (self.order.after([camera], work), self.state.clone());
        let counted = effect.inspect(move |_| {
            if state.in_hand.fetch_sub(1, Ordering::Relaxed) == 1 {
                state.oldest.store(0, Ordering::Relaxed);
            }
        });
        Ok(Effect::Pending(counted.boxed()))
    }

    fn has_room(&self) -> bool {
        self.state.in_hand.load(Ordering::Relaxed) < IN_HAND
    }

    fn tick(&mut self, _: &mut Offsets) {
        self.order.tidy();
        let stage = self.sink.stage;
        let oldest = self.state.oldest.load(Ordering::Relaxed);
        let age = if oldest == 0 { 0.0 } else { (self.sink.now)().since(Timestamp::from_micros(oldest)).as_secs_f64() };
        metrics::SINK_IN_HAND.with([stage]).set(self.state.in_hand.load(Ordering::Relaxed) as f64);
        metrics::SINK_OLDEST_SECONDS.with([stage]).set(age);
    }

    fn condition(&self) -> (Condition, String) {
        match &*self.state.failing() {
            None => (Condition::Running, String::new()),
            Some(why) => (Condition::Degraded, format!("alerts wait and are retried: {why}")),
        }
    }

    async fn revoked(&mut self, partitions: &[(Arc<str>, u32)]) -> crate::Result<()> {
        for (_, partition) in partitions {
            if let Some(leave) = self.leave.remove(partition) {
                leave.cancel();
            }
        }
        Ok(())
    }

    async fn ending(&mut self, _: bool) -> crate::Result<()> {
        self.leave.values().for_each(CancellationToken::cancel);
        Ok(())
    }
}

impl Sink {
    /// Delivers an alert, with retries, or dead-letters it. On cancellation it returns without either: the alert is then
    /// unfinished, and delivered again.
    async fn deliver(
        &self,
        record: &Delivered,
        alert: &Alert,
        state: &State,
        leave: &CancellationToken,
    ) -> Result<(), BusError> {
        let seed = format!("{}/{}/{}", self.group, alert.id, alert.revision);
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT, &seed);
        loop {
            let Some(outcome) = leave.run_until_cancelled(self.deliver.deliver(alert)).await else {
                return Err(BusError::Closed);
            };
            let (after, why) = match outcome {
                Ok(()) => {
                    metrics::SINK_DELIVERED.with([self.stage]).increment(1);
                    *state.failing() = None;
                    return Ok(());
                }
                Err(Undelivered::Refused(why)) => {
                    metrics::SINK_REFUSED.with([self.stage]).increment(1);
                    *state.failing() = None;
                    let sent =
                        dead_letters::send(&self.bus, self.stage, record, DeadLetterReason::Invalid, &why).await?;
                    return sent.await.map(drop);
                }
                Err(Undelivered::Retry { after, why }) => (after, why),
            };
            metrics::SINK_RETRIED.with([self.stage]).increment(1);
            let wait = backoff.next_wait().max(after.unwrap_or_default());
            tracing::warn!(sink = self.stage, alert = %alert.id, revision = alert.revision, ?wait, why, "not delivered");
            *state.failing() = Some(why);
            if leave.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
                return Err(BusError::Closed);
            }
        }
    }
}
