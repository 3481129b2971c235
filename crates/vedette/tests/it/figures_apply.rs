//! How long a change takes from its application until it is in force, on Kafka, with two workers and 2,000 cameras: `benches/run apply`
//! prints it. No test asserts it, because a machine may be busy.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use vedette::config::Config;
use vedette_bus::SharedBus;
use vedette_core::{Camera, CameraId, Owner, Policy, Proposal, ProposedPolicy, Score, ScoreBand, Timestamp};
use vedette_runtime::clock;
use vedette_runtime::health::Health;
use vedette_stages::address_book::AddressBook;
use vedette_stages::changes::{Changes, Worker};
use vedette_stages::registry::{self, Registry};
use vedette_stages::{Analyse, AnalyseSettings, LatencyBook, Peers, Signals};
use vedette_topics::{BusKind, open_bus, topics};

use crate::broker;
use crate::support::demo_site;

const CAMERAS: usize = 2_000;
const CHANGES: usize = 50;
const TARGET: Duration = Duration::from_secs(1);

/// The registry as a process has it.
async fn followed(bus: &SharedBus, stop: &CancellationToken) -> Registry {
    let (registry, followers) = Registry::open(bus).await.unwrap();
    for follower in followers {
        tokio::spawn(follower.run(Health::default(), stop.clone()));
    }
    registry
}

/// A worker of its own connection.
async fn worker(config: &Config, stop: &CancellationToken) -> Registry {
    let bus = open_bus(&config.settings.bus).await.unwrap();
    let registry = followed(&bus, stop).await;
    let worker = Worker::default();
    tokio::spawn(worker.clone().run(bus.clone(), registry.clone(), stop.clone()));
    let analyse = Analyse {
        settings: AnalyseSettings::default(),
        bus,
        registry: registry.clone(),
        addresses: AddressBook::of(None),
        health: Health::default(),
        latency: LatencyBook::default(),
        signals: Signals::default(),
        peers: Peers::default(),
        worker,
    };
    tokio::spawn(analyse.run(stop.clone()));
    registry
}

fn proposal(policy: &Policy, number: usize) -> Proposal {
    let score = Score::new(0.2 + 0.01 * number as f32).unwrap();
    let mut policy = policy.clone();
    for rule in &mut policy.rules {
        rule.score = ScoreBand { enter: score, stay: score };
    }
    let scope = policy.applies_to.clone();
    let proposed = ProposedPolicy { scope, content: Some(policy), only: BTreeSet::new(), from: None, based_on: None };
    Proposal {
        policies: vec![proposed],
        author: "operator 7".to_owned(),
        owner: Owner::Console,
        takes_over: true,
        ..Proposal::default()
    }
}

/// Waits until a worker has the version that is effective at a time, and that time has come.
async fn in_force(registry: &Registry, policy: &Policy, from: Timestamp) {
    let mut changes = registry.changes();
    while registry.policy_versions(&policy.applies_to).last().is_none_or(|newest| newest.effective_from != from) {
        changes.changed().await.unwrap();
    }
    let ahead = from.since(clock::now());
    if ahead > vedette_core::Span::ZERO {
        tokio::time::sleep(ahead.to_std()).await;
    }
}

fn told(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
    let verdict = if p99 <= TARGET { "met" } else { "MISSED" };
    let (median, p99, target) = (median.as_millis(), p99.as_millis(), TARGET.as_millis());
    println!("{what}: median {median} ms, p99 {p99} ms of {} (target: p99 {target} ms) {verdict}", times.len());
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn how_long_a_change_takes() {
    let Some(broker) = broker::shared() else { return };
    let site = tempfile::tempdir().unwrap();
    let mut config = Config::load(&demo_site(site.path())).unwrap();
    let bus = &mut config.settings.bus;
    (bus.kind, bus.kafka.brokers, bus.kafka.prefix) = (BusKind::Kafka, vec![broker.brokers()], "apply.".to_owned());
    let policy = config.policies[0].clone();
    let camera = |number| Camera { id: CameraId::new(&format!("c-{number}")).unwrap(), ..config.cameras[0].clone() };
    let cameras: Vec<Camera> = (0..CAMERAS).map(camera).collect();
    let bus = open_bus(&config.settings.bus).await.unwrap();
    bus.ensure_topics(&topics::specs(&config.settings.bus)).await.unwrap();
    registry::publish_onto(&bus, &cameras, std::slice::from_ref(&policy)).await.unwrap();

    let stop = CancellationToken::new();
    let workers = [worker(&config, &stop).await, worker(&config, &stop).await];
    let (changes, follower) = Changes::open(&bus, &followed(&bus, &stop).await, clock::now);
    tokio::spawn(follower.run(Health::default(), stop.clone()));
    // Uncounted, until both hold their partitions.
    let mut number = 0;
    while changes.apply(proposal(&policy, number)).await.map_or(0, |applied| applied.ready.len()) < workers.len() {
        number += 1;
    }
    let (mut taken, mut answers) = (Vec::new(), Vec::new());
    for number in number + 1..=number + CHANGES {
        let began = Instant::now();
        let applied = changes.apply(proposal(&policy, number)).await.unwrap();
        assert_eq!(applied.ready.len(), workers.len());
        for worker in &workers {
            in_force(worker, &policy, applied.effective_from).await;
        }
        taken.push(began.elapsed());
        answers.extend(applied.ready.values().map(|(_, taken)| *taken));
    }
    println!("\n{CAMERAS} cameras, two workers, Kafka:");
    told("from apply to in force on both workers, half a second of lead included", taken);
    told("answer of a worker", answers);
    stop.cancel();
}
