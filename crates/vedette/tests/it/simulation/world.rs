//! The stages on a simulated bus, and what befalls them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, broadcast};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use vedette_access::Areas;
use vedette_alert_store::{AlertFilter, AlertStore};
use vedette_alerts::OneEvent;
use vedette_bus::simulated::{Client, Cluster, Faults, Sabotage};
use vedette_bus::{Bus, Record, SharedBus};
use vedette_core::{Policy, Timestamp};
use vedette_runtime::blocking::Blocking;
use vedette_runtime::health::Health;
use vedette_stages::address_book::AddressBook;
use vedette_stages::changes::Worker;
use vedette_stages::detect::{Detect, Life, OpenAlerts};
use vedette_stages::registry::Registry;
use vedette_stages::{AlertSink, Analyse, AnalyseSettings, LatencyBook, Peers, ShedAfter, Signals};
use vedette_topics::{BusSettings, topics};
use vedette_wire::{
    VideoRecord, decode_alert, decode_dead_letter, decode_state, encode_alert, encode_piece, encode_signal_loss,
    encode_video,
};

use super::check::Outcome;
use super::fault_injector::{FaultInjector, InjectedFault};
use super::input::{Input, PARTITIONS};
use super::recorded_backend::Recorded;

/// How long faults go on.
const TROUBLE: Duration = Duration::from_secs(60);
/// When all must have come to rest after them.
const REST: Duration = Duration::from_secs(300);

/// What goes wrong, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Story {
    /// Nothing.
    Undisturbed,
    /// Whatever the seed says.
    Trouble,
    /// The same with a program that has a bug.
    Bug(InjectedFault),
    /// The processes of an older version end in good order or not, one after the other, and those of this version go on.
    Upgrade,
}

pub(crate) struct World {
    cluster: Cluster,
    input: &'static Input,
    seed: u64,
    store: Arc<AlertStore>,
    _folder: tempfile::TempDir,
}

/// What a process does.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Worker,
    Console,
}

/// One process.
struct Process {
    name: String,
    role: Role,
    fault: Option<InjectedFault>,
    client: Client,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl World {
    pub(crate) fn new(seed: u64, input: &'static Input, bugs: &[Sabotage]) -> Self {
        let cluster = Cluster::new(seed);
        for bug in bugs {
            cluster.sabotage(bug.clone());
        }
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        let store = AlertStore::open(&folder.path().join("alerts.sqlite")).unwrap().joining(OneEvent::default());
        Self { cluster, input, seed, store: Arc::new(store), _folder: folder }
    }

    /// Runs until all has come to rest.
    pub(crate) async fn run(self, story: Story) -> Outcome {
        record_video(&self.cluster, self.input).await;
        let mut chance = fastrand::Rng::with_seed(self.seed);
        let fault = match story {
            Story::Undisturbed | Story::Trouble => None,
            Story::Bug(fault) => Some(fault),
            Story::Upgrade => Some(InjectedFault::OldStates),
        };
        let mut processes = Vec::new();
        for (name, role) in [("one", Role::Worker), ("two", Role::Worker), ("desk", Role::Console)] {
            processes.push(self.start(name, role, fault).await);
        }
        match story {
            Story::Undisturbed => {}
            Story::Trouble | Story::Bug(_) => {
                let ends = tokio::time::Instant::now() + TROUBLE;
                let troubles = processes.iter_mut().map(|process| self.trouble(process, chance.fork(), ends));
                let ours = futures::future::join_all(troubles);
                tokio::join!(ours, self.trouble_the_cluster(chance.fork(), ends));
            }
            Story::Upgrade => {
                for process in &mut processes {
                    self.upgrade(process, &mut chance).await;
                }
            }
        }
        let mut outcome = Outcome::default();
        self.rest(&mut outcome).await;
        for process in processes {
            process.end().await;
        }
        self.look(&mut outcome);
        outcome
    }

    /// After a while this version takes the place of the one before.
    async fn upgrade(&self, process: &mut Process, chance: &mut fastrand::Rng) {
        sleep(Duration::from_millis(chance.u64(2_000..15_000))).await;
        if chance.bool() {
            process.crash();
            *process = self.start(&process.name, process.role, None).await;
        } else {
            let new = self.start(&process.name, process.role, None).await;
            std::mem::replace(process, new).end().await;
        }
    }

    async fn start(&self, name: &str, role: Role, fault: Option<InjectedFault>) -> Process {
        let client = self.cluster.client(name);
        let bus: SharedBus = match fault {
            None => Arc::new(client.clone()),
            Some(fault) => Arc::new(FaultInjector { client: client.clone(), fault }),
        };
        let stop = CancellationToken::new();
        let health = Health::default();
        let policies = match fault {
            Some(InjectedFault::NewestPolicy) => newest(&self.input.policies),
            _ => self.input.policies.clone(),
        };
        let registry = Registry::of(&self.input.cameras, &policies);
        let mut tasks = Vec::new();
        if role == Role::Worker {
            let detect = Detect {
                bus: bus.clone(),
                backend: Arc::new(Recorded { model: self.input.model(), frame: self.input.frame() }),
                max_fps: None,
                key_frames_only: false,
                shed_after: ShedAfter { low: Input::never(), normal: Input::never(), high: Input::never() },
                registry: registry.clone(),
                open_alerts: OpenAlerts::default(),
                now: Timestamp::default,
                decoders: Arc::new(Semaphore::new(2)),
                health: health.clone(),
                timeout: Duration::from_secs(10),
                life: Life::default(),
            };
            tasks.push(keep_running(stop.clone(), move |stop| detect.clone().run(stop)));
            let analyse = Analyse {
                settings: AnalyseSettings::default(),
                bus: bus.clone(),
                registry,
                addresses: AddressBook::of(Some(self.input.base.clone())),
                health,
                latency: LatencyBook::default(),
                signals: Signals::default(),
                peers: Peers::default(),
                worker: Worker::default(),
            };
            tasks.push(keep_running(stop.clone(), move |stop| analyse.clone().run(stop)));
        } else {
            let sink = AlertSink {
                bus,
                store: self.store.clone(),
                blocking: Blocking::InPlace,
                live: broadcast::channel(16).0,
                snapshots: None,
                health,
            };
            tasks.push(keep_running(stop.clone(), move |stop| sink.clone().run(stop)));
        }
        Process { name: name.to_owned(), role, fault, client, stop, tasks }
    }

    /// What befalls one process until `ends`: it then runs, and nothing is wrong with it.
    async fn trouble(&self, process: &mut Process, mut chance: fastrand::Rng, ends: tokio::time::Instant) {
        let mut pause = |most: u64| Duration::from_millis(chance.u64(100..most * 1_000));
        let mut kinds = fastrand::Rng::with_seed(pause(1_000_000).as_millis() as u64);
        while tokio::time::Instant::now() < ends {
            sleep(pause(8)).await;
            match kinds.u8(0..5) {
                0 => {
                    process.crash();
                    sleep(pause(15)).await;
                    *process = self.start(&process.name, process.role, process.fault).await;
                }
                1 => {
                    process.client.set_silent(true);
                    sleep(pause(25)).await;
                    process.client.set_silent(false);
                }
                2 => {
                    let new = self.start(&process.name, process.role, process.fault).await;
                    std::mem::replace(process, new).end().await;
                }
                3 => {
                    process.client.set_faults(Faults { refuse: 0.05, lose_answer: 0.05, ..Faults::default() });
                    sleep(pause(6)).await;
                    process.client.set_faults(Faults::default());
                }
                _ => {
                    let delay = pause(2);
                    process.client.set_faults(Faults { fail_request: 0.2, delay, ..Faults::default() });
                    sleep(pause(6)).await;
                    process.client.set_faults(Faults::default());
                }
            }
        }
    }

    async fn trouble_the_cluster(&self, mut chance: fastrand::Rng, ends: tokio::time::Instant) {
        while tokio::time::Instant::now() < ends {
            sleep(Duration::from_millis(chance.u64(1_000..20_000))).await;
            if chance.bool() {
                self.cluster.set_down(true);
                sleep(Duration::from_millis(chance.u64(100..15_000))).await;
                self.cluster.set_down(false);
            } else {
                self.cluster.compact(topics::STATES.name()).unwrap();
            }
        }
    }

    /// Waits until nothing comes any more.
    async fn rest(&self, outcome: &mut Outcome) {
        let mut still_since = tokio::time::Instant::now();
        let mut seen = 0;
        let until = still_since + REST;
        loop {
            sleep(Duration::from_secs(1)).await;
            let now = tokio::time::Instant::now();
            let records: usize = self.cluster.records(topics::DETECTIONS.name()).unwrap().len()
                + self.cluster.records(topics::ALERTS.name()).unwrap().len();
            let lags = [("analyse", topics::DETECTIONS.name()), ("console", topics::ALERTS.name())]
                .map(|(group, topic)| self.cluster.lag(group, topic).unwrap());
            if records != seen || lags != [0, 0] {
                (seen, still_since) = (records, now);
            }
            // A member may be on its way back from what it thinks is still its own.
            if now - still_since > Duration::from_secs(45) {
                return;
            }
            if now > until {
                outcome
                    .unrest
                    .push(format!("no rest {REST:?} after the last fault: lags {lags:?} of analyse and console"));
                return;
            }
        }
    }

    fn look(&self, outcome: &mut Outcome) {
        let value = |record: vedette_bus::Delivered| record.record.value.unwrap();
        for record in self.cluster.records(topics::ALERTS.name()).unwrap() {
            let bytes = value(record);
            let alert = decode_alert(bytes.clone()).unwrap();
            outcome.note(alert.id, alert.revision, bytes);
        }
        let page = self
            .store
            .list(&AlertFilter { each: true, limit: 1_000, ..AlertFilter::default() }, &Areas::Everywhere)
            .unwrap();
        for stored in page.alerts {
            outcome.events.insert(stored.alert.id, stored.event);
            outcome.stored.entry(stored.alert.id).or_default().push(encode_alert(&stored.alert));
        }
        let mut newest = BTreeMap::new();
        for record in self.cluster.records(topics::STATES.name()).unwrap() {
            let state = decode_state(value(record)).unwrap();
            let at = newest.entry(state.camera.clone()).or_insert(0);
            if state.next_offset >= *at {
                *at = state.next_offset;
                outcome.counts.insert(state.camera.clone(), state.counts);
                outcome.states.insert(state.camera, state.state);
            }
        }
        let letters = self.cluster.records(topics::DEAD_LETTERS.name()).unwrap().into_iter();
        outcome.dead_letters =
            letters.map(|record| decode_dead_letter(value(record)).unwrap()).map(|l| (l.partition, l.offset)).collect();
        outcome.dead_letters.sort_unstable();
        outcome.dead_letters.dedup();
        outcome.trace = self.cluster.trace();
    }
}

/// The newest policy, as if it had always been in force.
fn newest(policies: &[Policy]) -> Vec<Policy> {
    let newest = policies.iter().max_by_key(|policy| policy.effective_from).cloned();
    newest.map(|policy| Policy { effective_from: Timestamp::default(), ..policy }).into_iter().collect()
}

/// All cameras' video, as if it had waited.
pub(crate) async fn record_video(cluster: &Cluster, input: &Input) {
    let recorder = cluster.client("recorder");
    let settings = BusSettings { partitions: PARTITIONS, ..BusSettings::default() };
    recorder.ensure_topics(&topics::specs(&settings)).await.unwrap();
    for camera in &input.cameras {
        for video in &input.video[&camera.id] {
            let value = match video {
                VideoRecord::Chunk(published) => encode_video(&published.chunk, published.published),
                VideoRecord::Piece(piece) => encode_piece(piece),
                VideoRecord::SignalLoss(loss) => encode_signal_loss(loss),
            };
            let record = Record {
                key: Bytes::copy_from_slice(camera.id.as_str().as_bytes()),
                value: Some(value),
                headers: Vec::new(),
                timestamp_ms: video.published().as_millis(),
            };
            recorder.send(topics::VIDEO.name(), record).await.unwrap().await.unwrap();
        }
    }
}

impl Process {
    /// As `kill -9`: nothing that runs knows of it.
    fn crash(&mut self) {
        self.client.crash();
        self.tasks.drain(..).for_each(|task| task.abort());
    }

    /// Ends in good order.
    async fn end(self) {
        self.stop.cancel();
        for task in self.tasks {
            let _ = tokio::time::timeout(Duration::from_secs(30), task).await;
        }
        self.client.crash();
    }
}

/// Runs a stage, and again when it fails, as the product does.
pub(crate) fn keep_running<F>(
    stop: CancellationToken,
    run: impl Fn(CancellationToken) -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = vedette_stages::Result<()>> + Send + 'static,
{
    tokio::spawn(async move {
        while run(stop.clone()).await.is_err() {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(Duration::from_millis(500)) => {}
            }
        }
    })
}
