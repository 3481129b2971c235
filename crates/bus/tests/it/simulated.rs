//! The simulated bus fulfils the contract of the bus, and simulates faults reproducibly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use vedette_bus::simulated::{Client, Cluster, Faults, Sabotage, Settings, TraceEvent, Traced};
use vedette_bus::{Bus, BusError, Delivered, GroupEvent, Retention, Revocation, SharedBus, Subscription, TopicSpec};

use crate::suite::{self, next_record, record, send_all, spec, within};

const SEEDS: std::ops::Range<u64> = 0..20;
const TOPIC: &str = "t";
const GROUP: &str = "g";

macro_rules! conformance {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test(start_paused = true)]
        async fn $name() {
            for (seed, commit_every) in [(1, Duration::ZERO), (2, Duration::from_millis(200))] {
                let settings = Settings {
                    epoch_ms: suite::now_ms(),
                    commit_every,
                    sweep_interval: Duration::from_millis(20),
                    receive_queue_bytes: 1 << 20,
                    ..Settings::default()
                };
                let bus: SharedBus = Arc::new(Cluster::with_settings(seed, settings).client("suite"));
                suite::$name(bus).await;
            }
        }
    )*};
}

every_promise!(conformance);

/// Runs one simulation in a runtime of its own, so that its time begins anew.
fn simulate<T>(run: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(run)
}

fn at_once() -> Settings {
    Settings { commit_every: Duration::ZERO, ..Settings::default() }
}

async fn topic(cluster: &Cluster, partitions: u32) {
    cluster.client("setup").ensure_topics(&[spec(TOPIC, partitions)]).await.unwrap();
}

/// A record whose time does not come from a clock.
fn timed(key: &str, value: impl Into<bytes::Bytes>) -> vedette_bus::Record {
    vedette_bus::Record { timestamp_ms: 1_767_225_600_000, ..record(key, value) }
}

fn value(read: &Delivered) -> String {
    String::from_utf8(read.record.value.as_ref().unwrap().to_vec()).unwrap()
}

async fn revocation(member: &mut Subscription) -> Revocation {
    loop {
        if let Ok(GroupEvent::Revoked(revocation)) = within("a revocation", member.next()).await {
            return revocation;
        }
    }
}

/// Follows a member until it has `count` partitions.
async fn assigned(member: &mut Subscription, ours: &mut BTreeSet<u32>, count: usize) {
    while ours.len() != count {
        match within("an assignment", member.next()).await {
            Ok(GroupEvent::Assigned(new)) => ours.extend(new.iter().map(|(_, partition)| *partition)),
            Ok(GroupEvent::Revoked(revocation)) => {
                ours.retain(|mine| !revocation.partitions.iter().any(|(_, partition)| partition == mine));
                revocation.done();
            }
            Ok(GroupEvent::Record(_)) | Err(BusError::Unreachable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// A worker as it should be: copies records to another topic and commits when the copies are durable.
async fn copy(bus: Client) {
    let mut member = bus.subscribe(GROUP, &[TOPIC]).await.unwrap();
    let committer = member.committer();
    loop {
        match member.next().await {
            Ok(GroupEvent::Record(read)) => {
                while bus.send("out", read.record.clone()).await.unwrap().await.is_err() {}
                let (partition, next) = (read.position.partition, read.position.offset + 1);
                // One that is refused means that the partition went to another member.
                while let Err(BusError::Unreachable { .. }) = committer.commit(TOPIC, partition, next).await {}
            }
            Ok(GroupEvent::Assigned(_)) | Err(BusError::Unreachable { .. }) => {}
            Ok(GroupEvent::Revoked(revocation)) => revocation.done(),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Two workers and a producer meet every fault there is; what happened, and what came out.
async fn storm(seed: u64, bugs: &[Sabotage]) -> (Vec<Traced>, BTreeMap<String, u32>) {
    let cluster = Cluster::new(seed);
    cluster.client("setup").ensure_topics(&[spec(TOPIC, 4), spec("out", 2)]).await.unwrap();
    bugs.iter().for_each(|bug| cluster.sabotage(bug.clone()));
    let faults = Faults { refuse: 0.1, lose_answer: 0.1, fail_request: 0.0, delay: Duration::from_millis(50) };
    let producer = cluster.client("producer");
    let mut workers: Vec<_> = ["one", "two"]
        .into_iter()
        .map(|name| {
            let client = cluster.client(name);
            client.set_faults(faults);
            (client.clone(), tokio::spawn(copy(client)))
        })
        .collect();
    for round in 0..6 {
        for number in 0..20 {
            let number = round * 20 + number;
            let sent = producer.send(TOPIC, timed(&format!("k{}", number % 9), number.to_string())).await.unwrap();
            sent.await.unwrap();
        }
        sleep(Duration::from_millis(seed * 37 % 900)).await;
        match round {
            0 => workers[0].0.set_silent(true),
            1 => sleep(Duration::from_secs(15)).await,
            2 => workers[0].0.set_silent(false),
            3 => {
                let (client, task) = workers.remove(1);
                client.crash();
                task.abort();
                let client = cluster.client("two again");
                workers.push((client.clone(), tokio::spawn(copy(client))));
            }
            4 => {
                cluster.set_down(true);
                sleep(Duration::from_secs(30)).await;
                cluster.set_down(false);
            }
            _ => {}
        }
    }
    let settled = async {
        while cluster.lag(GROUP, TOPIC).unwrap() > 0 {
            sleep(Duration::from_secs(1)).await;
        }
        sleep(Duration::from_secs(10)).await;
    };
    timeout(Duration::from_secs(600), settled).await.expect("the group catches up");
    let mut out = BTreeMap::new();
    for read in cluster.records("out").unwrap() {
        *out.entry(value(&read)).or_default() += 1;
    }
    (cluster.trace(), out)
}

fn missing(out: &BTreeMap<String, u32>) -> usize {
    (0..120).filter(|number| !out.contains_key(&number.to_string())).count()
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let mut traces = Vec::new();
    for seed in SEEDS {
        let first = simulate(storm(seed, &[]));
        let second = simulate(storm(seed, &[]));
        assert_eq!(first, second, "seed {seed}");
        traces.push(first.0);
    }
    traces.dedup();
    assert_eq!(traces.len(), SEEDS.count(), "seeds differ");
}

#[test]
fn a_storm_loses_nothing_and_planted_bugs_do() {
    for seed in SEEDS {
        let (trace, out) = simulate(storm(seed, &[]));
        assert_eq!(missing(&out), 0, "seed {seed}");
        let expelled = trace.iter().filter(|traced| matches!(traced.event, TraceEvent::Expelled { .. })).count();
        assert!(expelled >= 2, "seed {seed}: the silent one and the crashed one are expelled, not {expelled}");
        let (_, out) = simulate(storm(seed, &[Sabotage::Swallow("out".to_owned())]));
        assert_eq!(missing(&out), 120, "seed {seed}");
        let (_, out) = simulate(storm(seed, &[Sabotage::SwallowSome("out".to_owned(), 15)]));
        assert!((1..=20).contains(&missing(&out)), "seed {seed}: {}", missing(&out));
        let (_, out) = simulate(storm(seed, &[Sabotage::Duplicate("out".to_owned())]));
        assert!(out.values().all(|times| times.is_multiple_of(2)) && missing(&out) == 0, "seed {seed}");
    }
}

#[test]
fn an_acknowledgement_before_the_write_loses_what_a_crash_takes() {
    for (seed, early) in SEEDS.flat_map(|seed| [(seed, false), (seed, true)]) {
        let (acknowledged, written) = simulate(async {
            let cluster = Cluster::new(seed);
            topic(&cluster, 1).await;
            if early {
                cluster.sabotage(Sabotage::AcknowledgeBeforeWrite);
            }
            let client = cluster.client("c");
            let mut acknowledged = 0;
            for number in 0..10 {
                client.send(TOPIC, timed("k", number.to_string())).await.unwrap().await.unwrap();
                acknowledged += 1;
            }
            client.crash();
            sleep(Duration::from_secs(60)).await;
            (acknowledged, cluster.records(TOPIC).unwrap().len())
        });
        assert_eq!(acknowledged, 10);
        assert_eq!(written == 10, !early, "seed {seed}: {written} written");
    }
}

#[test]
fn the_late_commit_of_a_member_that_was_expelled_is_refused() {
    for (seed, settings) in SEEDS.flat_map(|seed| [(seed, at_once()), (seed, Settings::default())]) {
        simulate(async {
            let now = settings.commit_every.is_zero();
            let cluster = Cluster::with_settings(seed, settings);
            topic(&cluster, 1).await;
            send_all(&cluster.client("p"), TOPIC, (0..10).map(|n| timed("k", n.to_string()))).await;
            let zombie = cluster.client("zombie");
            let mut stale = zombie.subscribe(GROUP, &[TOPIC]).await.unwrap();
            for _ in 0..4 {
                next_record(&mut stale, &mut Vec::new()).await;
            }
            zombie.set_silent(true);
            let mut heir = cluster.client("heir").subscribe(GROUP, &[TOPIC]).await.unwrap();
            for offset in 0..10 {
                assert_eq!(next_record(&mut heir, &mut Vec::new()).await.position.offset, offset, "seed {seed}");
            }
            heir.committer().commit(TOPIC, 0, 10).await.unwrap();
            sleep(Duration::from_secs(1)).await;
            assert_eq!(cluster.committed(GROUP, TOPIC, 0), Some(10));
            let committer = stale.committer();
            let late = tokio::spawn(async move { committer.commit(TOPIC, 0, 4).await });
            sleep(Duration::from_secs(5)).await;
            assert!(!late.is_finished(), "the calls of a paused process wait");
            zombie.set_silent(false);
            let late = late.await.unwrap();
            assert!(!now || matches!(late, Err(BusError::Refused { .. })), "seed {seed}: {late:?}");
            // It learns what it lost.
            let lost = revocation(&mut stale).await;
            assert_eq!(lost.partitions.len(), 1);
            lost.done();
            sleep(Duration::from_secs(5)).await;
            assert_eq!(cluster.committed(GROUP, TOPIC, 0), Some(10), "seed {seed}");
            assert!(matches!(stale.committer().commit(TOPIC, 0, 4).await, Err(BusError::Refused { .. })));
        });
    }
}

#[test]
fn a_crash_takes_what_was_not_handed_over_and_keeps_order() {
    let mut kept = BTreeSet::new();
    for seed in 0..100 {
        kept.insert(simulate(async {
            let cluster = Cluster::new(seed);
            topic(&cluster, 1).await;
            let client = cluster.client("c");
            let mut deliveries = Vec::new();
            for number in 0..40 {
                deliveries.push(client.send(TOPIC, timed("k", number.to_string())).await.unwrap());
            }
            sleep(Duration::from_millis(seed % 40)).await;
            client.crash();
            let mut told = 0;
            for delivery in deliveries {
                // Whoever asks a dead process waits for ever.
                if let Ok(written) = timeout(Duration::from_secs(1000), delivery).await {
                    assert_eq!(written.unwrap().offset, Some(told));
                    told += 1;
                }
            }
            assert!(timeout(Duration::from_secs(1000), client.send(TOPIC, timed("k", "late"))).await.is_err());
            let written: Vec<String> = cluster.records(TOPIC).unwrap().iter().map(value).collect();
            assert_eq!(written, (0..written.len()).map(|n| n.to_string()).collect::<Vec<_>>());
            assert!(written.len() as u64 >= told, "what was acknowledged is there");
            written.len()
        }));
    }
    assert!(kept.contains(&0) && kept.len() > 10, "crashes fall in the midst of publishing: {kept:?}");
}

#[test]
fn a_rebalance_waits_for_what_is_in_hand() {
    for seed in SEEDS {
        simulate(async {
            let cluster = Cluster::new(seed);
            topic(&cluster, 2).await;
            let (one, two) = (cluster.client("one"), cluster.client("two"));
            send_all(&one, TOPIC, (0..100).map(|n| timed(&format!("k{n}"), n.to_string()))).await;
            let mut first = one.subscribe(GROUP, &[TOPIC]).await.unwrap();
            let mut next = [0; 2];
            for _ in 0..100 {
                let position = next_record(&mut first, &mut Vec::new()).await.position;
                next[position.partition as usize] = position.offset + 1;
            }
            let mut second = two.subscribe(GROUP, &[TOPIC]).await.unwrap();
            let revocation = revocation(&mut first).await;
            let (_, moved) = revocation.partitions[0].clone();
            assert_eq!(revocation.partitions.len(), 1, "half of it goes, the rest stays");
            // Not before it is revoked, however long that takes.
            assert!(timeout(Duration::from_secs(20), second.next()).await.is_err(), "seed {seed}");
            let committer = first.committer();
            committer.commit(TOPIC, moved, next[moved as usize]).await.unwrap();
            revocation.done();
            assigned(&mut second, &mut BTreeSet::new(), 1).await;
            assert_eq!(cluster.committed(GROUP, TOPIC, moved), Some(next[moved as usize]));
            let late = committer.commit(TOPIC, moved, 1).await;
            assert!(matches!(late, Err(BusError::Refused { .. })), "{late:?}");
            let keys = (0..100).map(|n| format!("k{n}"));
            let key = keys.into_iter().find(|key| vedette_bus::partition_of(key.as_bytes(), 2) == moved).unwrap();
            send_all(&one, TOPIC, [timed(&key, "new")]).await;
            let read = next_record(&mut second, &mut Vec::new()).await;
            assert_eq!((read.position.partition, read.position.offset), (moved, next[moved as usize]));
            drop(second);
            assigned(&mut first, &mut BTreeSet::from([1 - moved]), 2).await;
        });
    }
}

#[test]
fn partitions_that_are_not_given_back_go_after_the_time_limit() {
    simulate(async {
        let cluster = Cluster::new(1);
        topic(&cluster, 2).await;
        let mut first = cluster.client("one").subscribe(GROUP, &[TOPIC]).await.unwrap();
        assigned(&mut first, &mut BTreeSet::new(), 2).await;
        let mut second = cluster.client("two").subscribe(GROUP, &[TOPIC]).await.unwrap();
        let held = revocation(&mut first).await;
        assigned(&mut second, &mut BTreeSet::new(), 1).await;
        let owners: BTreeSet<_> = cluster.assignment(GROUP).into_values().collect();
        assert_eq!(owners.len(), 2);
        let (_, moved) = held.partitions[0].clone();
        assert!(first.committer().commit(TOPIC, moved, 1).await.is_err());
    });
}

#[test]
fn a_cluster_that_is_away_takes_what_waited_when_it_returns() {
    for seed in SEEDS {
        simulate(async {
            let cluster = Cluster::new(seed);
            topic(&cluster, 1).await;
            let client = cluster.client("c");
            let mut member = client.subscribe(GROUP, &[TOPIC]).await.unwrap();
            send_all(&client, TOPIC, (0..5).map(|n| timed("k", n.to_string()))).await;
            for offset in 0..5 {
                assert_eq!(next_record(&mut member, &mut Vec::new()).await.position.offset, offset);
            }
            cluster.set_down(true);
            let waiting = client.send(TOPIC, timed("k", "5")).await.unwrap();
            assert!(matches!(client.watermarks(TOPIC).await, Err(BusError::Unreachable { .. })));
            let report = within("a report", member.next()).await.unwrap_err();
            assert!(matches!(report, BusError::Unreachable { .. }), "{report}");
            sleep(Duration::from_secs(5 + seed * 2)).await;
            cluster.set_down(false);
            waiting.await.unwrap();
            // Nothing was committed: who had to join anew begins again, and none is left out on the way.
            let mut last = next_record(&mut member, &mut Vec::new()).await.position.offset;
            while last < 5 {
                let offset = next_record(&mut member, &mut Vec::new()).await.position.offset;
                assert_eq!(offset, last + 1, "seed {seed}");
                last = offset;
            }
            cluster.set_down(true);
            let lost = client.send(TOPIC, timed("k", "6")).await.unwrap().await;
            assert!(matches!(lost, Err(BusError::Unreachable { .. })), "{lost:?}");
        });
    }
}

#[test]
fn refusals_have_no_effect_and_lost_answers_have() {
    simulate(async {
        let cluster = Cluster::with_settings(7, at_once());
        topic(&cluster, 1).await;
        let client = cluster.client("c");
        let mut member = client.subscribe(GROUP, &[TOPIC]).await.unwrap();
        assigned(&mut member, &mut BTreeSet::new(), 1).await;
        client.set_faults(Faults { refuse: 1.0, ..Faults::default() });
        assert!(client.send(TOPIC, timed("k", "v")).await.unwrap().await.is_err());
        assert!(member.committer().commit(TOPIC, 0, 1).await.is_err());
        assert_eq!((cluster.records(TOPIC).unwrap().len(), cluster.committed(GROUP, TOPIC, 0)), (0, None));
        client.set_faults(Faults { lose_answer: 1.0, ..Faults::default() });
        assert!(client.send(TOPIC, timed("k", "v")).await.unwrap().await.is_err());
        assert!(member.committer().commit(TOPIC, 0, 1).await.is_err());
        assert_eq!((cluster.records(TOPIC).unwrap().len(), cluster.committed(GROUP, TOPIC, 0)), (1, Some(1)));
        client.set_faults(Faults { fail_request: 1.0, ..Faults::default() });
        assert!(client.watermarks(TOPIC).await.is_err());
        client.set_faults(Faults::default());
        assert_eq!(client.watermarks(TOPIC).await.unwrap()[0].high, 1);
        assert_eq!(cluster.lag(GROUP, TOPIC).unwrap(), 0);
    });
}

#[test]
fn compaction_keeps_the_last_of_each_key_and_forgets_old_tombstones() {
    simulate(async {
        let cluster = Cluster::new(3);
        let client = cluster.client("c");
        client.ensure_topics(&[TopicSpec { retention: Retention::Compact, ..spec(TOPIC, 1) }]).await.unwrap();
        let mut reader = client.read(TOPIC, vedette_bus::StartAt::Earliest).await.unwrap();
        send_all(&client, TOPIC, (0..30).map(|n| timed(&format!("k{}", n % 3), n.to_string()))).await;
        send_all(&client, TOPIC, [vedette_bus::Record { value: None, ..timed("k0", "") }, timed("k1", "last")]).await;
        cluster.compact(TOPIC).unwrap();
        let offsets = || cluster.records(TOPIC).unwrap().iter().map(|read| read.position.offset).collect::<Vec<_>>();
        assert_eq!(offsets(), [29, 30, 31]);
        sleep(Duration::from_hours(25)).await;
        cluster.compact(TOPIC).unwrap();
        assert_eq!(offsets(), [29, 31]);
        assert_eq!(client.watermarks(TOPIC).await.unwrap()[0].high, 32);
        // A reader that was there before sees rising offsets up to the last.
        let mut last = within("a record", reader.next()).await.unwrap().position.offset;
        while last < 31 {
            let offset = within("a record", reader.next()).await.unwrap().position.offset;
            assert!(offset > last);
            last = offset;
        }
    });
}
