use std::sync::Arc;

use tokio::sync::broadcast;
use vedette_bus::SharedBus;
use vedette_core::Alert;
use vedette_runtime::health::Health;

use crate::address_book::AddressBook;
use crate::latency::LatencyBook;
use crate::registry::Registry;
use crate::signals::Signals;

/// The handles that the services of a process share. Cheap to clone.
#[derive(Clone)]
pub struct Deps {
    /// The bus.
    pub bus: SharedBus,
    /// Cameras and policies.
    pub registry: Registry,
    /// The cameras without signal; empty in a process that neither analyses nor shows them.
    pub signals: Signals,
    /// The address bases, by capture time.
    pub addresses: AddressBook,
    /// Latencies of the alerts raised by this process.
    pub latency: LatencyBook,
    /// Every alert as this process stores it.
    pub live: broadcast::Sender<Arc<Alert>>,
    /// Where services report their condition.
    pub health: Health,
}
