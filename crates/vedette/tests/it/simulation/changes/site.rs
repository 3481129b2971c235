//! The site of a run: cameras, two workers and a desk, and what befalls them.

use std::cell::Cell;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, sleep, sleep_until};
use vedette_bus::simulated::{Client, Cluster, Faults, Sabotage};
use vedette_bus::{Bus, Record, SharedBus};
use vedette_core::{CameraRecord, FrameAt, ProcessedFrame, RecordBody, Span, Timestamp};
use vedette_runtime::health::Health;
use vedette_stages::address_book::AddressBook;
use vedette_stages::changes::{ChangeError, Changes, Worker};
use vedette_stages::registry::{self, Registry};
use vedette_stages::{Analyse, AnalyseSettings, LatencyBook, Peers, Signals};
use vedette_topics::{BusSettings, topics};
use vedette_wire::encode_detections;

use super::super::INPUT;
use super::super::fault_injector::{FaultInjector, InjectedFault};
use super::super::input::PARTITIONS;
use super::process::Process;
use super::{Story, editor};

/// How long changes are applied and faults go on.
const TROUBLE: Duration = Duration::from_secs(70);
/// How long frames arrive.
const FRAMES: Duration = Duration::from_secs(85);
/// When all must have come to rest after them.
const REST: Duration = Duration::from_secs(300);
/// Interval between two frames of a camera.
const PACE: Duration = Duration::from_millis(100);
/// Virtual time at the start of each run.
const START: Timestamp = Timestamp::from_micros(1_795_555_442_000_000);

thread_local! {
    /// When the run on this thread began.
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
    /// How many seconds the desk's clock is fast.
    static FAST: Cell<i64> = const { Cell::new(0) };
}

/// Virtual time.
fn now() -> Timestamp {
    let began = BEGAN.get().expect("the run sets it");
    START + Span::from_micros(began.elapsed().as_micros() as i64)
}

/// The desk's clock.
fn desk_now() -> Timestamp {
    now() + Span::from_secs(FAST.get())
}

/// What is drawn from a seed.
struct Chance(fastrand::Rng);

impl Chance {
    fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.0.u64(range))
    }
}

pub(super) struct Site {
    pub(super) cluster: Cluster,
    seed: u64,
    story: Story,
    /// Changes that were refused since frames were analysed already.
    refused: AtomicU64,
}

/// The process that decides on changes.
struct Desk {
    process: Process,
    changes: Changes,
}

impl Site {
    pub(super) async fn new(seed: u64, bugs: &[Sabotage], story: Story) -> Self {
        BEGAN.set(Some(Instant::now()));
        FAST.set(0);
        let cluster = Cluster::new(seed);
        for bug in bugs {
            cluster.sabotage(bug.clone());
        }
        prepare(&(Arc::new(cluster.client("owner")) as SharedBus)).await;
        Self { cluster, seed, story, refused: AtomicU64::new(0) }
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// What the bus says of cameras and policies.
    pub(super) async fn registry(&self) -> Registry {
        let bus: SharedBus = Arc::new(self.cluster.client("auditor"));
        Registry::open(&bus).await.unwrap().0
    }

    /// Runs until all has come to rest; returns what did not.
    pub(super) async fn run(&self) -> Vec<String> {
        let mut chance = fastrand::Rng::with_seed(self.seed);
        let ends = Instant::now() + TROUBLE;
        let mut workers = [self.worker("one").await, self.worker("two").await];
        let [one, two] = &mut workers;
        let mut fork = || Chance(chance.fork());
        let (_, _, desk, ()) = tokio::join!(
            self.trouble(one, fork(), ends),
            self.trouble(two, fork(), ends),
            self.decide(fork(), ends),
            self.feed(),
        );
        let unrest = self.rest().await;
        for process in workers.into_iter().chain([desk.process]) {
            process.end().await;
        }
        unrest.into_iter().collect()
    }

    /// In some runs the desk's clock is set back once, and workers are of a release that does not say how far it has analysed, so that
    /// a change is effective in the past. Nothing befalls the workers then: one that is killed before it has said that a change was late leaves
    /// alerts that no replay gives.
    fn sets_clock_back(&self) -> bool {
        self.story == Story::Trouble && self.seed.is_multiple_of(4)
    }

    fn fault(&self) -> Option<InjectedFault> {
        match self.story {
            Story::Trouble if self.sets_clock_back() => Some(InjectedFault::HidesAnalysed),
            Story::Undisturbed | Story::SetBack | Story::Trouble => None,
            Story::Bug(fault) => Some(fault),
        }
    }

    fn bus(&self, client: &Client) -> SharedBus {
        match self.fault() {
            None => Arc::new(client.clone()),
            Some(fault) => Arc::new(FaultInjector { client: client.clone(), fault }),
        }
    }

    /// What the cameras see: the recorded detections, over and over, at the pace of virtual time.
    async fn feed(&self) {
        let bus = self.cluster.client("cameras");
        let (began, start) = (Instant::now(), now());
        for (number, (_, frame)) in (0_u32..).zip(INPUT.frames().iter().cycle()) {
            let after = PACE * number;
            if after > FRAMES {
                return;
            }
            sleep_until(began + after).await;
            let captured = start + Span::from_micros(after.as_micros() as i64);
            for camera in &INPUT.cameras {
                let frame = ProcessedFrame { video: None, latency: None, account: None, ..frame.clone() };
                let record = CameraRecord {
                    camera: camera.id.clone(),
                    at: FrameAt { epoch: 1, sequence: u64::from(number), captured },
                    model: INPUT.model(),
                    body: RecordBody::Processed(frame),
                };
                let record = Record {
                    key: Bytes::copy_from_slice(camera.id.as_str().as_bytes()),
                    value: Some(encode_detections(&record)),
                    headers: Vec::new(),
                    timestamp_ms: captured.as_millis(),
                };
                drop(bus.send(topics::DETECTIONS.name(), record).await.unwrap());
            }
        }
    }

    async fn worker(&self, name: &str) -> Process {
        let mut process = Process::new(self.cluster.client(name));
        let bus = self.bus(process.client());
        let mut registry = process.registry(&bus).await;
        let (worker, known) = (Worker::default(), registry.clone());
        let (reporting, on) = (worker.clone(), bus.clone());
        process.keep(move |stop| reporting.clone().run(on.clone(), known.clone(), stop));
        if self.fault() == Some(InjectedFault::NewestPolicy) {
            registry = self.newest(&mut process, registry).await;
        }
        let analyse = Analyse {
            // Nobody takes in these cameras.
            settings: AnalyseSettings { timeout: Span::from_secs(86_400), ..AnalyseSettings::default() },
            bus,
            registry,
            addresses: AddressBook::of(Some(INPUT.base.clone())),
            health: Health::default(),
            latency: LatencyBook::default(),
            signals: Signals::default(),
            peers: Peers::default(),
            worker,
        };
        process.keep(move |stop| analyse.clone().run(stop));
        process
    }

    /// The registry of a program with a bug: the newest version of each policy, as if it had always been in force.
    async fn newest(&self, process: &mut Process, of: Registry) -> Registry {
        let bus: SharedBus = Arc::new(Cluster::new(self.seed).client("newest"));
        prepare(&bus).await;
        let registry = process.registry(&bus).await;
        process.keep(move |_| {
            let (of, bus) = (of.clone(), bus.clone());
            async move {
                let mut changes = of.changes();
                while changes.changed().await.is_ok() {
                    for scope in of.scopes() {
                        let Some(mut newest) = of.policy_versions(&scope).pop() else { continue };
                        newest.effective_from = Timestamp::default();
                        topics::POLICIES.send(&bus, &newest, now()).await?.await?;
                    }
                }
                Ok(())
            }
        });
        registry
    }

    async fn desk(&self) -> Desk {
        let mut process = Process::new(self.cluster.client("desk"));
        let bus = self.bus(process.client());
        let registry = process.registry(&bus).await;
        let (changes, follower) = Changes::open(&bus, &registry, desk_now);
        process.follow(follower);
        let recovering = changes.clone();
        process.keep(move |_| {
            let changes = recovering.clone();
            async move {
                while changes.recover().await.is_err() {
                    sleep(Duration::from_millis(500)).await;
                }
                Ok(())
            }
        });
        Desk { process, changes }
    }

    /// Applies changes until `ends`; the desk then runs, and nothing is wrong with it.
    async fn decide(&self, mut chance: Chance, ends: Instant) -> Desk {
        let (mut desk, mut set_back) = (self.desk().await, self.sets_clock_back());
        while Instant::now() < ends {
            sleep(chance.millis(500..6_000)).await;
            if self.story == Story::Trouble {
                // Set back or forward, and right again.
                FAST.set(if std::mem::take(&mut set_back) { -10 } else { [0, 0, 0, 10][chance.0.usize(0..4)] });
            }
            if matches!(self.story, Story::SetBack | Story::Bug(InjectedFault::HidesAnalysed)) {
                FAST.set([0, 0, -3, -10, -90][chance.0.usize(0..5)]);
            }
            let proposal = editor::proposal(&mut chance.0, desk.changes.registry());
            let changes = desk.changes.clone();
            let mut applying = tokio::spawn(async move { changes.apply(proposal).await });
            if self.story == Story::Trouble {
                match chance.0.u8(0..8) {
                    0..4 => {}
                    4 => {
                        let _ = tokio::time::timeout(chance.millis(0..1_500), &mut applying).await;
                        applying.abort();
                        desk.process.crash();
                        sleep(chance.millis(100..8_000)).await;
                        desk = self.desk().await;
                        continue;
                    }
                    _ => hinder(desk.process.client(), &mut chance).await,
                }
            }
            if let Ok(Ok(Err(ChangeError::Refused { refusals, .. }))) =
                tokio::time::timeout(Duration::from_secs(30), &mut applying).await
            {
                let is_analysed = refusals.iter().any(|refusal| refusal.code == "change.already-analysed");
                self.refused.fetch_add(u64::from(is_analysed), Ordering::Relaxed);
            }
        }
        FAST.set(0);
        // Whatever it left, the next one ends.
        desk.process.crash();
        self.desk().await
    }

    /// What befalls a worker until `ends`; it then runs, and nothing is wrong with it.
    async fn trouble(&self, worker: &mut Process, mut chance: Chance, ends: Instant) {
        while self.story == Story::Trouble && !self.sets_clock_back() && Instant::now() < ends {
            sleep(chance.millis(1_000..10_000)).await;
            let name = worker.client().name().to_owned();
            match chance.0.u8(0..5) {
                0 => {
                    worker.crash();
                    sleep(chance.millis(100..8_000)).await;
                    *worker = self.worker(&name).await;
                }
                1 => std::mem::replace(worker, self.worker(&name).await).end().await,
                _ => hinder(worker.client(), &mut chance).await,
            }
        }
    }

    /// Waits until nothing comes any more; returns what does not rest.
    async fn rest(&self) -> Option<String> {
        let (until, mut seen, mut still_since) = (Instant::now() + REST, 0, Instant::now());
        loop {
            sleep(Duration::from_secs(1)).await;
            let topics = [topics::DETECTIONS.name(), topics::ALERTS.name(), topics::CHANGES.name()];
            let records: usize = topics.iter().map(|topic| self.cluster.records(topic).unwrap().len()).sum();
            let lag = self.cluster.lag("analyse", topics::DETECTIONS.name()).unwrap();
            if records != seen || lag != 0 {
                (seen, still_since) = (records, Instant::now());
            }
            // A member may be on its way back from what it thinks is still its own.
            if still_since.elapsed() > Duration::from_secs(45) {
                return None;
            }
            if Instant::now() > until {
                return Some(format!("no rest {REST:?} after the last fault: lag {lag} of analyse"));
            }
        }
    }
}

/// A pause, slow answers or refusals, for some seconds.
async fn hinder(client: &Client, chance: &mut Chance) {
    sleep(chance.millis(0..300)).await;
    match chance.0.u8(0..3) {
        0 => {
            client.set_silent(true);
            sleep(chance.millis(500..8_000)).await;
            client.set_silent(false);
        }
        1 => {
            client.set_faults(Faults { delay: chance.millis(0..3_000), ..Faults::default() });
            sleep(chance.millis(1_000..6_000)).await;
            client.set_faults(Faults::default());
        }
        _ => {
            client.set_faults(Faults { refuse: 0.1, lose_answer: 0.1, fail_request: 0.1, ..Faults::default() });
            sleep(chance.millis(500..4_000)).await;
            client.set_faults(Faults::default());
        }
    }
}

/// The topics, the cameras and their first policy.
async fn prepare(bus: &SharedBus) {
    let settings = BusSettings { partitions: PARTITIONS, ..BusSettings::default() };
    bus.ensure_topics(&topics::specs(&settings)).await.unwrap();
    registry::publish_onto(bus, &INPUT.cameras, &INPUT.policies[..1]).await.unwrap();
}
