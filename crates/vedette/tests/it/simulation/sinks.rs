//! A sink under the simulation: two members that crash, pause and give way to each other, and a destination that is slow, refuses,
//! and loses its answers. Each alert is delivered at least once, those of a camera in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use vedette_bus::SharedBus;
use vedette_bus::simulated::{Client, Cluster};
use vedette_core::{Alert, AlertId, Timestamp};
use vedette_runtime::health::Health;
use vedette_stages::Sink;
use vedette_stages::registry::Registry;
use vedette_stages::sinks::{Deliver, Only, Undelivered};
use vedette_topics::topics;
use vedette_wire::{decode_alert, decode_dead_letter};

use super::world::{keep_running, record_video};
use super::{INPUT, failures_of};

const SEEDS: u64 = 12;
const GROUP: &str = "sink-police";

/// An alert revision: what is delivered.
type Statement = (AlertId, u32);

/// The receiver: what reached it, in order.
#[derive(Default)]
struct Receiver {
    log: Mutex<Vec<(String, Statement)>>,
}

/// How a process delivers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Right,
    /// The planted bug: it says that an alert was delivered before it was.
    TooEarly,
}

/// The way from one process to the receiver.
struct Way {
    receiver: Arc<Receiver>,
    chance: Mutex<fastrand::Rng>,
    refused: AlertId,
    manner: Manner,
    /// Whether the process still lives.
    alive: Arc<AtomicBool>,
}

impl Way {
    fn draw<T>(&self, draw: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        draw(&mut self.chance.lock().unwrap())
    }
}

#[async_trait]
impl Deliver for Way {
    async fn deliver(&self, alert: &Alert) -> Result<(), Undelivered> {
        let way = Duration::from_millis(match self.manner {
            Manner::Right => self.draw(|chance| chance.u64(5..400)),
            // Always the same, so that nothing but a crash shows it.
            Manner::TooEarly => 300,
        });
        let entry = (alert.camera.to_string(), (alert.id, alert.revision));
        if self.manner == Manner::TooEarly {
            let (receiver, alive) = (self.receiver.clone(), self.alive.clone());
            tokio::spawn(async move {
                sleep(way).await;
                if alive.load(Ordering::SeqCst) {
                    receiver.log.lock().unwrap().push(entry);
                }
            });
            return Ok(());
        }
        sleep(way).await;
        if alert.id == self.refused {
            return Err(Undelivered::Refused("not this one".into()));
        }
        let retry = |why: &str| Err(Undelivered::Retry { after: None, why: why.into() });
        match self.draw(|chance| chance.u8(0..10)) {
            0 => retry("not now"),
            1 => {
                self.receiver.log.lock().unwrap().push(entry);
                retry("the answer was lost")
            }
            _ => {
                self.receiver.log.lock().unwrap().push(entry);
                Ok(())
            }
        }
    }
}

struct Member {
    client: Client,
    stop: CancellationToken,
    task: JoinHandle<()>,
    alive: Arc<AtomicBool>,
}

impl Member {
    fn crash(&self) {
        self.alive.store(false, Ordering::SeqCst);
        self.client.crash();
        self.task.abort();
    }
}

/// The alerts of the recording with those of copies of its cameras, in the order in which they lie on the bus.
fn alerts() -> Vec<Alert> {
    let expected = INPUT.expected().alerts;
    let mut alerts: Vec<Alert> =
        expected.into_values().map(|payloads| decode_alert(payloads.into_iter().next().unwrap()).unwrap()).collect();
    alerts.sort_by_key(|alert| (alert.ended.unwrap_or(alert.raised), alert.id, alert.revision));
    alerts
}

struct Outcome {
    delivered: Vec<(String, Statement)>,
    refused: Vec<String>,
    lag: u64,
}

async fn run(seed: u64, manner: Manner) -> Outcome {
    let cluster = Cluster::new(seed);
    record_video(&cluster, &INPUT).await;
    let producer: SharedBus = Arc::new(cluster.client("producer"));
    let alerts = alerts();
    let receiver = Arc::new(Receiver::default());
    let start = |name: &str, seed: u64| {
        let (client, stop, alive) = (cluster.client(name), CancellationToken::new(), Arc::new(AtomicBool::new(true)));
        let chance = Mutex::new(fastrand::Rng::with_seed(seed));
        let (receiver, refused) = (receiver.clone(), alerts[0].id);
        let sink = Sink {
            stage: "sink_police",
            group: GROUP.into(),
            bus: Arc::new(client.clone()),
            registry: Registry::of(&INPUT.cameras, &INPUT.policies),
            only: Only::default(),
            deliver: Arc::new(Way { receiver, chance, refused, manner, alive: alive.clone() }),
            now: Timestamp::default,
            health: Health::default(),
        };
        let task = keep_running(stop.clone(), move |stop| sink.clone().run(stop));
        Member { client, stop, task, alive }
    };
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut members = [start("one", chance.u64(..)), start("two", chance.u64(..))];
    // Alerts come while members come and go.
    for alert in &alerts {
        let stated = alert.ended.unwrap_or(alert.raised);
        topics::ALERTS.send(&producer, alert, stated).await.unwrap().await.unwrap();
        sleep(Duration::from_millis(chance.u64(0..2_500))).await;
        let which = chance.usize(0..2);
        match chance.u8(0..6) {
            0 => {
                members[which].crash();
                sleep(Duration::from_millis(chance.u64(0..3_000))).await;
                members[which] = start(["one", "two"][which], chance.u64(..));
            }
            1 => {
                members[which].client.set_silent(true);
                sleep(Duration::from_millis(chance.u64(0..20_000))).await;
                members[which].client.set_silent(false);
            }
            2 => {
                members[which].stop.cancel();
                members[which] = start(["one", "two"][which], chance.u64(..));
            }
            _ => {}
        }
    }
    sleep(Duration::from_secs(240)).await;
    let lag = cluster.lag(GROUP, topics::ALERTS.name()).unwrap();
    members.iter().for_each(Member::crash);
    let letters = cluster.records(topics::DEAD_LETTERS.name()).unwrap().into_iter();
    let refused = letters.map(|record| decode_dead_letter(record.record.value.unwrap()).unwrap().detail).collect();
    let delivered = receiver.log.lock().unwrap().clone();
    Outcome { delivered, refused, lag }
}

fn wrong(outcome: &Outcome) -> Vec<String> {
    let mut wrong = Vec::new();
    if outcome.lag > 0 {
        wrong.push(format!("{} records are not committed", outcome.lag));
    }
    let alerts = alerts();
    let refused = alerts[0].id;
    let mut expected: BTreeMap<String, Vec<Statement>> = BTreeMap::new();
    for alert in alerts.iter().filter(|alert| alert.id != refused) {
        expected.entry(alert.camera.to_string()).or_default().push((alert.id, alert.revision));
    }
    for (camera, expected) in expected {
        let mut first: Vec<Statement> = Vec::new();
        for (_, statement) in outcome.delivered.iter().filter(|(of, _)| *of == camera) {
            if !first.contains(statement) {
                first.push(*statement);
            }
        }
        if first != expected {
            wrong.push(format!("{camera}: {} of {} delivered in order", first.len(), expected.len()));
        }
    }
    if outcome.refused.is_empty() || outcome.refused.iter().any(|detail| !detail.contains("not this one")) {
        wrong.push(format!("dead letters: {:?}", outcome.refused));
    }
    wrong
}

fn seed(seed: u64, manner: Manner) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    wrong(&runtime.block_on(run(seed, manner)))
}

#[test]
fn every_alert_reaches_the_destination_in_order() {
    assert!(alerts().len() >= 20, "{}", alerts().len());
    let failures = failures_of(SEEDS, |number| seed(number, Manner::Right));
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn a_sink_that_acknowledges_too_early_is_found() {
    let failures = failures_of(SEEDS, |number| {
        seed(number, Manner::TooEarly).into_iter().filter(|wrong| wrong.contains("delivered in order")).collect()
    });
    assert!(!failures.is_empty(), "no seed of {SEEDS} finds it");
}
