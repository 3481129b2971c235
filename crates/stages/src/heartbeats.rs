//! Signs of life of the stages that cameras depend on: sent by `ingest` and `detect`, observed by `analyse`.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use dashmap::DashMap;
use tokio::time::{Instant, MissedTickBehavior};
use vedette_bus::{Delivered, SharedBus, StartAt};
use vedette_core::{CameraId, SignalLossReason, Span};
use vedette_runtime::health::{Condition, Health};
use vedette_runtime::{Service, clock};
use vedette_topics::dead_letters::Refusal;
use vedette_topics::reading::{Follower, View};
use vedette_topics::topics;
use vedette_wire::{Heartbeat, HeartbeatRole};

use crate::error::StageError;
use crate::ingest::Share;

const NAME: &str = "heartbeats";
/// Interval between two heartbeats of a stage.
pub(crate) const EVERY: Duration = Duration::from_secs(1);
/// A stage whose loop has not turned for this long sends no more heartbeats.
const STALLED: Duration = Duration::from_secs(4);
/// Heartbeats of a process are forgotten after this time.
const FORGOTTEN: Duration = Duration::from_secs(60);

/// Counts the turns of a stage's loop. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// The loop has turned; called every second at least.
    pub(crate) fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The service that sends the heartbeats of a stage while its loop turns. `holds` gives its cameras: their number, and which.
pub(crate) fn service(
    name: &'static str,
    bus: &SharedBus,
    (pulse, health): (&Pulse, &Health),
    holds: impl Fn() -> (u32, HeartbeatRole) + Clone + Send + Sync + 'static,
) -> Service {
    let (bus, pulse, health) = (bus.clone(), pulse.clone(), health.clone());
    let process = format!("{:016x}", fastrand::u64(..));
    Service::new(name, move |stop| {
        let (bus, pulse, health) = (bus.clone(), pulse.clone(), health.clone());
        let (process, holds) = (process.clone(), holds.clone());
        async move {
            let mut every = tokio::time::interval(EVERY);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut turned = (pulse.count(), Instant::now());
            while stop.run_until_cancelled(every.tick()).await.is_some() {
                if pulse.count() != turned.0 {
                    turned = (pulse.count(), Instant::now());
                } else if turned.1.elapsed() > STALLED {
                    health.set(name, Condition::Degraded, "the stage makes no progress, so it sends no heartbeats");
                    continue;
                }
                health.set(name, Condition::Running, "");
                let (cameras, role) = holds();
                let heartbeat = Heartbeat { process: process.clone(), cameras, role };
                // Without waiting until it is durable: the next one follows soon.
                if let Err(error) = topics::HEARTBEATS.send(&bus, &heartbeat, clock::now()).await {
                    tracing::debug!(%error, "a heartbeat was not sent");
                }
            }
            Ok::<(), StageError>(())
        }
    })
}

/// The stages of all processes, as their heartbeats tell. Cheap to clone. By default nothing is known of them, and nothing is
/// concluded from their silence.
#[derive(Debug, Clone, Default)]
pub struct Peers(Option<Arc<DashMap<String, Peer>>>);

#[derive(Debug)]
struct Peer {
    role: HeartbeatRole,
    at: Instant,
}

impl Peers {
    /// The peers, and the follower that keeps them current while it runs.
    #[must_use]
    pub fn open(bus: &SharedBus) -> (Self, Arc<Follower>) {
        let peers = Self(Some(Arc::default()));
        let follower = Follower::new(bus, NAME, topics::HEARTBEATS.name(), StartAt::Latest, peers.clone());
        (peers, follower)
    }

    /// Peers of which these sent heartbeats now.
    #[cfg(test)]
    pub(crate) fn heard(roles: &[HeartbeatRole]) -> Self {
        let peers = Self(Some(Arc::default()));
        peers.beat(roles);
        peers
    }

    /// They send heartbeats again.
    #[cfg(test)]
    pub(crate) fn beat(&self, roles: &[HeartbeatRole]) {
        for role in roles {
            let peer = Peer { role: role.clone(), at: Instant::now() };
            self.0.as_ref().unwrap().insert(role.stage().to_owned(), peer);
        }
    }

    /// The cameras that somebody works on, by the heartbeats of the last `patience`; none when nothing is known.
    pub(crate) fn coverage(&self, patience: Duration) -> Option<Coverage> {
        let mut coverage = Coverage::default();
        for peer in self.0.as_ref()?.iter().filter(|peer| peer.at.elapsed() <= patience) {
            match &peer.role {
                HeartbeatRole::Ingest { number, of, idle, more_idle } => {
                    let Some(share) = Share::new(*number, *of) else { continue };
                    coverage.shares.push(share);
                    coverage.idle.extend(idle.iter().cloned());
                    coverage.more_idle.extend(more_idle.then_some(share));
                }
                HeartbeatRole::Detect { partitions, behind } => {
                    coverage.partitions.extend(partitions);
                    coverage.behind = coverage.behind.max(*behind);
                }
            }
        }
        Some(coverage)
    }
}

#[async_trait]
impl View for Peers {
    async fn take(&self, record: &Delivered) -> Result<(), Refusal> {
        let heartbeat = topics::HEARTBEATS.read(record)?;
        if let Some(peers) = &self.0 {
            let key = String::from_utf8_lossy(&record.record.key).into_owned();
            peers.insert(key, Peer { role: heartbeat.role, at: Instant::now() });
        }
        Ok(())
    }

    async fn tick(&self) {
        if let Some(peers) = &self.0 {
            peers.retain(|_, peer| peer.at.elapsed() <= FORGOTTEN);
        }
    }
}

/// The cameras that some live process works on.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    /// Shares of live intakes.
    shares: Vec<Share>,
    /// Partitions of `video` with a live owner.
    partitions: BTreeSet<u32>,
    /// Cameras from which nothing is to be expected now.
    idle: HashSet<CameraId>,
    /// Shares with more of them.
    more_idle: Vec<Share>,
    /// How far `detect` is behind: for so long nothing of a camera that sends may arrive.
    behind: Span,
}

impl Coverage {
    /// Whether any camera of `partitions` may be without intake or detection.
    pub(crate) fn is_complete(&self, mut partitions: impl Iterator<Item = u32>) -> bool {
        self.covers_all_shares() && partitions.all(|partition| self.partitions.contains(&partition))
    }

    fn covers_all_shares(&self) -> bool {
        let counts: BTreeSet<u32> = self.shares.iter().map(|share| share.of()).collect();
        counts.into_iter().any(|of| {
            let numbers: BTreeSet<u32> =
                self.shares.iter().filter(|share| share.of() == of).map(|share| share.number()).collect();
            numbers.len() == of as usize
        })
    }

    /// How far `detect` is behind.
    pub(crate) fn behind(&self) -> Duration {
        self.behind.to_std()
    }

    /// Whether a camera may send nothing, for all that is known.
    pub(crate) fn may_be_idle(&self, camera: &CameraId) -> bool {
        self.idle.contains(camera) || self.more_idle.iter().any(|share| share.holds(camera))
    }

    /// The stage that nobody runs for a camera of the partition.
    pub(crate) fn missing(&self, camera: &CameraId, partition: u32) -> Option<SignalLossReason> {
        if !self.shares.iter().any(|share| share.holds(camera)) {
            return Some(SignalLossReason::IngestGone);
        }
        (!self.partitions.contains(&partition)).then_some(SignalLossReason::DetectGone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_missing() {
        let camera = CameraId::new("gate").unwrap();
        let share = |number, of| Share::new(number, of).unwrap();
        let holder = (1..=3).find(|number| share(*number, 3).holds(&camera)).unwrap();
        let coverage = |numbers: &[u32], partitions: &[u32]| Coverage {
            shares: numbers.iter().map(|number| share(*number, 3)).collect(),
            partitions: partitions.iter().copied().collect(),
            ..Coverage::default()
        };
        let others: Vec<u32> = (1..=3).filter(|number| *number != holder).collect();
        for (shares, partitions, missing, complete) in [
            (vec![1, 2, 3], vec![0, 1], None, true),
            (vec![holder], vec![0], None, false),
            (others.clone(), vec![0, 1], Some(SignalLossReason::IngestGone), false),
            (vec![1, 2, 3], vec![1], Some(SignalLossReason::DetectGone), false),
            (Vec::new(), Vec::new(), Some(SignalLossReason::IngestGone), false),
        ] {
            let coverage = coverage(&shares, &partitions);
            assert_eq!(coverage.missing(&camera, 0), missing, "{shares:?} {partitions:?}");
            assert_eq!(coverage.is_complete([0, 1].into_iter()), complete, "{shares:?} {partitions:?}");
        }
        assert!(Peers::default().coverage(EVERY).is_none());
    }
}
