//! Probes the bus periodically, so that an outage and its end are noticed even where no record passes.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, SharedBus};
use vedette_runtime::Service;
use vedette_runtime::health::{Condition, Health};

use crate::error::TopicError;
use crate::topics;

const NAME: &str = "bus";
/// What the log of this process lacks; its bus answers all the same.
const LOG: &str = "bus_log";
const ASK_EVERY: Duration = Duration::from_secs(2);

/// A stage found the bus unreachable. It recovers by itself; until the bus answers again, health reports the outage.
pub fn away(health: &Health, error: &BusError) {
    health.set(NAME, Condition::Degraded, error.to_string());
}

/// Whether the bus answered at the last attempt; true as long as nobody asks.
#[must_use]
pub fn answers(health: &Health) -> bool {
    health.condition(NAME).is_none_or(|condition| condition == Condition::Running)
}

/// The service that asks the bus periodically whether it answers.
#[must_use]
pub fn service(bus: &SharedBus, health: &Health) -> Service {
    let (bus, health) = (bus.clone(), health.clone());
    Service::new(NAME, move |stop| watch(bus.clone(), health.clone(), stop))
}

async fn watch(bus: SharedBus, health: Health, stop: CancellationToken) -> Result<(), TopicError> {
    let mut ask = tokio::time::interval(ASK_EVERY);
    ask.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let asking = async {
        loop {
            ask.tick().await;
            match bus.watermarks(topics::ALERTS.name()).await {
                Ok(_) => {
                    health.set(NAME, Condition::Running, "");
                    if let Some(damage) = bus.damage() {
                        health.set(LOG, Condition::Degraded, damage);
                    }
                }
                Err(BusError::Closed) => return,
                Err(error) => away(&health, &error),
            }
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = asking => {}
    }
    health.set(NAME, Condition::Stopped, "");
    Ok(())
}
