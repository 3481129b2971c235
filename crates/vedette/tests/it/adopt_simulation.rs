//! The stage that takes in others' detections, under a deterministic simulation: two members on a bus in virtual time, with
//! crashes, pauses, rebalances, outages, refusals and lost answers drawn from a seed. Whatever happens, every frame comes to lie on
//! `detections`, in order, in one form, and every record that cannot be read lies in the dead letters.
//!
//! `VEDETTE_CHAOS_SEEDS=1000` runs more seeds, `VEDETTE_CHAOS_SEED=17` one; a failure names its seed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use vedette_bus::simulated::{Client, Cluster, Faults, Sabotage};
use vedette_bus::{Record, SharedBus};
use vedette_core::{Camera, CameraId, GroundPoint, Timestamp};
use vedette_runtime::health::Health;
use vedette_stages::MetadataSettings;
use vedette_stages::import::{GROUP, Import};
use vedette_stages::registry::Registry;
use vedette_topics::{BusSettings, topics};
use vedette_wire::{decode_dead_letter, decode_detections};

use crate::producer::{PRODUCERS, Producer};

/// Seeds of a usual run.
const SEEDS: u64 = 24;
/// How long faults go on; the producers send meanwhile.
const TROUBLE: Duration = Duration::from_secs(60);
/// When all must have come to rest after them.
const REST: Duration = Duration::from_secs(300);
/// What the simulated cluster's clock shows at its beginning.
const BEGIN: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// What lies on the bus in the end.
#[derive(Default)]
struct Outcome {
    /// Every form in which a frame lies there.
    frames: BTreeMap<(String, u64), BTreeSet<Bytes>>,
    /// Frames that came behind a later one of their camera, when they came first.
    out_of_order: Vec<(String, u64)>,
    /// Where the records were that lie in the dead letters.
    aside: BTreeSet<(String, u32, u64)>,
    unrest: bool,
}

struct World {
    cluster: Cluster,
    registry: Registry,
    entries: Arc<[MetadataSettings]>,
    settings: BusSettings,
}

/// One member.
struct Member {
    client: Client,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

fn camera(producer: &Producer) -> Camera {
    Camera {
        id: CameraId::new(producer.camera).unwrap(),
        name: "seen by others".into(),
        purpose: "test".into(),
        groups: Vec::new(),
        enabled: true,
        priority: Default::default(),
        source: None,
        position: GroundPoint::new(22.5, 113.9, 1.0).unwrap(),
        address: None,
        calibration: None,
        masks: Vec::new(),
    }
}

fn entry(producer: &Producer) -> MetadataSettings {
    let text = producer.entry();
    toml::from_str(text.trim_start_matches("[[metadata]]")).unwrap()
}

impl World {
    fn new(seed: u64, bugs: &[Sabotage]) -> Self {
        let cluster = Cluster::new(seed);
        for bug in bugs {
            cluster.sabotage(bug.clone());
        }
        let foreign_topics = PRODUCERS.iter().map(|producer| producer.topic.to_owned()).collect();
        Self {
            cluster,
            registry: Registry::of(&PRODUCERS.each_ref().map(camera), &[]),
            entries: PRODUCERS.iter().map(entry).collect(),
            settings: BusSettings { partitions: 2, foreign_topics, ..BusSettings::default() },
        }
    }

    async fn run(self, seed: u64, disturbed: bool) -> Outcome {
        let theirs: SharedBus = Arc::new(self.cluster.client("producers"));
        theirs.ensure_topics(&topics::specs(&self.settings)).await.unwrap();
        topics::ensure_foreign(&theirs, &self.settings).await.unwrap();
        let mut chance = fastrand::Rng::with_seed(seed);
        let (mut one, mut two) = (self.start("one"), self.start("two"));
        if disturbed {
            let ends = Instant::now() + TROUBLE;
            tokio::join!(
                produce(&theirs),
                self.trouble("one", &mut one, chance.fork(), ends),
                self.trouble("two", &mut two, chance.fork(), ends),
                self.trouble_the_cluster(chance.fork(), ends),
            );
        } else {
            produce(&theirs).await;
        }
        let mut outcome = Outcome { unrest: !self.rests().await, ..Outcome::default() };
        one.end().await;
        two.end().await;
        self.look(&mut outcome);
        outcome
    }

    fn start(&self, name: &str) -> Member {
        let client = self.cluster.client(name);
        let import = Import {
            entries: self.entries.clone(),
            bus: Arc::new(client.clone()),
            registry: self.registry.clone(),
            health: Health::default(),
        };
        let (stop, stopped) = (CancellationToken::new(), CancellationToken::new());
        let token = stop.clone();
        // Again when it fails, as the product does.
        let task = tokio::spawn(async move {
            while import.clone().run(token.clone()).await.is_err() && !stopped.is_cancelled() {
                sleep(Duration::from_millis(500)).await;
            }
        });
        Member { client, stop, task }
    }

    /// What befalls one member until `ends`: it then runs, and nothing is wrong with it.
    async fn trouble(&self, name: &str, member: &mut Member, mut chance: fastrand::Rng, ends: Instant) {
        while Instant::now() < ends {
            let mut pause = |most: u64| Duration::from_millis(chance.u64(100..most * 1_000));
            let (before, during) = (pause(8), pause(20));
            sleep(before).await;
            match chance.u8(0..4) {
                0 => {
                    member.client.crash();
                    member.task.abort();
                    sleep(during).await;
                    *member = self.start(name);
                }
                1 => {
                    member.client.set_silent(true);
                    sleep(during).await;
                    member.client.set_silent(false);
                }
                2 => std::mem::replace(member, self.start(name)).end().await,
                _ => {
                    let faults = Faults { refuse: 0.05, lose_answer: 0.05, fail_request: 0.1, delay: during / 10 };
                    member.client.set_faults(faults);
                    sleep(during).await;
                    member.client.set_faults(Faults::default());
                }
            }
        }
    }

    async fn trouble_the_cluster(&self, mut chance: fastrand::Rng, ends: Instant) {
        while Instant::now() < ends {
            sleep(Duration::from_millis(chance.u64(5_000..20_000))).await;
            self.cluster.set_down(true);
            sleep(Duration::from_millis(chance.u64(100..12_000))).await;
            self.cluster.set_down(false);
        }
    }

    /// Waits until nothing comes any more; false when that takes too long.
    async fn rests(&self) -> bool {
        let (until, mut still_since, mut seen) = (Instant::now() + REST, Instant::now(), 0);
        while Instant::now() < until {
            sleep(Duration::from_secs(1)).await;
            let records = self.cluster.records(topics::DETECTIONS.name()).unwrap().len();
            let lag: u64 = PRODUCERS.iter().map(|producer| self.cluster.lag(GROUP, producer.topic).unwrap()).sum();
            if records != seen || lag > 0 {
                (seen, still_since) = (records, Instant::now());
            }
            // A member may be on its way back from what it thinks is still its own.
            if still_since.elapsed() > Duration::from_secs(45) {
                return true;
            }
        }
        false
    }

    fn look(&self, outcome: &mut Outcome) {
        let mut latest = BTreeMap::new();
        for record in self.cluster.records(topics::DETECTIONS.name()).unwrap() {
            let bytes = record.record.value.unwrap();
            let frame = decode_detections(bytes.clone()).unwrap();
            let place = (frame.camera.to_string(), frame.at.sequence);
            let newest = latest.entry(frame.camera).or_insert(0);
            if frame.at.sequence < *newest && !outcome.frames.contains_key(&place) {
                outcome.out_of_order.push(place.clone());
            }
            *newest = frame.at.sequence.max(*newest);
            outcome.frames.entry(place).or_default().insert(bytes);
        }
        for record in self.cluster.records(topics::DEAD_LETTERS.name()).unwrap() {
            let letter = decode_dead_letter(record.record.value.unwrap()).unwrap();
            outcome.aside.insert((letter.topic, letter.partition, letter.offset));
        }
    }
}

impl Member {
    /// Ends in good order.
    async fn end(self) {
        self.stop.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(30), self.task).await;
        self.client.crash();
    }
}

/// A minute of walks, ten frames a second, with a record that nobody can read now and then.
async fn produce(bus: &SharedBus) {
    for walk in 0..7 {
        let from = Timestamp::from_micros(BEGIN.as_micros() + walk * 8_000_000);
        let walks = PRODUCERS.map(|producer| (producer, producer.walk(from)));
        for frame in 0..walks[0].1.len() {
            for (producer, records) in &walks {
                let record = records[frame].clone();
                if frame % 16 == 7 {
                    let garbage = Record { value: Some(Bytes::from_static(b"\xffno such message")), ..record.clone() };
                    send(bus, producer.topic, garbage).await;
                }
                send(bus, producer.topic, record).await;
            }
            sleep(Duration::from_millis(80)).await;
        }
    }
}

/// Nothing is wrong with the producers themselves; while the cluster is away they wait.
async fn send(bus: &SharedBus, topic: &str, record: Record) {
    while bus.send(topic, record.clone()).await.is_err() {
        sleep(Duration::from_millis(200)).await;
    }
}

/// One run on a thread and a clock of its own.
fn run(seed: u64, bugs: &[Sabotage], disturbed: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(World::new(seed, bugs).run(seed, disturbed))
}

static UNDISTURBED: LazyLock<Outcome> = LazyLock::new(|| run(0, &[], false));

/// What is wrong with a run.
fn wrong(found: &Outcome) -> Vec<String> {
    let expected = &*UNDISTURBED;
    let mut wrong = Vec::new();
    if found.unrest {
        wrong.push(format!("no rest {REST:?} after the last fault"));
    }
    for (place, forms) in &expected.frames {
        match found.frames.get(place) {
            None => wrong.push(format!("lost: {place:?}")),
            Some(found) if found != forms => {
                wrong.push(format!("changed: {place:?} lies there in {} forms", found.len()))
            }
            Some(_) => {}
        }
    }
    wrong.extend(
        found.frames.keys().filter(|place| !expected.frames.contains_key(place)).map(|p| format!("invented: {p:?}")),
    );
    wrong.extend(found.out_of_order.iter().map(|place| format!("out of order: {place:?}")));
    wrong.extend(expected.aside.symmetric_difference(&found.aside).map(|letter| format!("dead letters: {letter:?}")));
    wrong
}

fn seeds() -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    match (number("VEDETTE_CHAOS_SEED"), number("VEDETTE_CHAOS_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, count) => (1..=count.unwrap_or(SEEDS)).collect(),
    }
}

#[test]
fn the_undisturbed_run_has_every_frame() {
    let undisturbed = &*UNDISTURBED;
    assert_eq!(undisturbed.frames.len(), PRODUCERS.len() * 7 * 80);
    assert_eq!(undisturbed.aside.len(), PRODUCERS.len() * 7 * 5);
    assert_eq!(wrong(undisturbed), Vec::<String>::new());
}

#[test]
fn whatever_fails_every_frame_is_there_in_order_and_in_one_form() {
    let seeds = seeds();
    for seed in &seeds {
        let wrong = wrong(&run(*seed, &[], true));
        assert!(
            wrong.is_empty(),
            "VEDETTE_CHAOS_SEED={seed} runs it again: {} wrong: {:?}",
            wrong.len(),
            &wrong[..wrong.len().min(10)]
        );
    }
    eprintln!("{} seeds", seeds.len());
}

#[test]
fn a_commit_before_the_effect_is_found() {
    let found = (1..=20).filter(|seed| {
        wrong(&run(*seed, &[Sabotage::AcknowledgeBeforeWrite], true)).iter().any(|it| it.starts_with("lost"))
    });
    assert!(found.count() > 0);
}

#[test]
fn a_dead_letter_that_is_dropped_in_silence_is_found() {
    let bug = Sabotage::SwallowSome(topics::DEAD_LETTERS.name().into(), 10);
    assert!(wrong(&run(1, &[bug], true)).iter().any(|it| it.starts_with("dead letters")));
}
