//! The embedded log keeps the promises of the bus.

mod suite;

use std::sync::Arc;
use std::time::Duration;

use vedette_bus::embedded::{EmbeddedBus, EmbeddedSettings};
use vedette_bus::{Bus, BusError, SharedBus, StartAt};

use suite::{new_topic, next_record, read_up, record, send_all, unique};

fn settings(dir: &std::path::Path) -> EmbeddedSettings {
    EmbeddedSettings {
        segment_bytes: 16 << 10,
        sync_after: Duration::from_millis(1),
        sweep_interval: Duration::from_millis(20),
        receive_queue_bytes: 1 << 20,
        ..EmbeddedSettings::new(dir)
    }
}

fn open(dir: &std::path::Path) -> Arc<EmbeddedBus> {
    EmbeddedBus::open(settings(dir)).unwrap()
}

macro_rules! conformance {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let dir = tempfile::tempdir().unwrap();
            let bus: SharedBus = open(dir.path());
            suite::$name(bus).await;
        }
    )*};
}

conformance!(
    keys_keep_partition_and_order,
    group_resumes_from_its_commit,
    commit_elsewhere_is_refused,
    replay_from_offset_and_time,
    latest_follows_what_comes,
    content_survives,
    large_records_pass_and_larger_ones_do_not,
    fetch_finds_one_or_none,
    unknown_topics_are_named,
    other_limits_are_refused,
    slow_consumer_loses_nothing,
    retention_takes_the_old,
    compaction_keeps_the_last_of_each_key,
);

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let group = unique("group");
    let bus = open(dir.path());
    let topic = new_topic(&*bus, 3).await;
    let sent = send_all(&*bus, &topic, (0..200).map(|n| record(&format!("k{n}"), format!("{n:0400}")))).await;
    let mut member = bus.subscribe(&group, &[&topic]).await.unwrap();
    next_record(&mut member, &mut Vec::new()).await;
    for partition in 0..3 {
        member.committer().commit(&topic, partition, 5).await.unwrap();
    }
    bus.close().await;
    assert!(matches!(bus.send(&topic, record("k", "v")).await, Err(BusError::Closed)));
    let ended = async { while !matches!(member.next().await, Err(BusError::Closed)) {} };
    suite::within("the end of the subscription", ended).await;
    let bus = open(dir.path());
    let mut read: Vec<_> = read_up(&*bus, &topic, StartAt::Earliest)
        .await
        .into_iter()
        .map(|read| (read.position.partition, read.position.offset))
        .collect();
    read.sort_unstable();
    let mut sent = sent;
    sent.sort_unstable();
    assert_eq!(read, sent);
    let mut member = bus.subscribe(&group, &[&topic]).await.unwrap();
    assert_eq!(next_record(&mut member, &mut Vec::new()).await.position.offset, 5);
}

#[tokio::test]
async fn a_directory_has_one_owner_and_a_group_one_member() {
    let dir = tempfile::tempdir().unwrap();
    let bus = open(dir.path());
    let second = EmbeddedBus::open(settings(dir.path())).err().unwrap();
    assert!(second.to_string().contains("has it open"), "{second}");
    let topic = new_topic(&*bus, 2).await;
    let member = bus.subscribe("g", &[&topic]).await.unwrap();
    let refused = bus.subscribe("g", &[&topic]).await.err().unwrap();
    assert!(matches!(&refused, BusError::Refused { .. }) && refused.to_string().contains("`g`"), "{refused}");
    drop(member);
    bus.subscribe("g", &[&topic]).await.unwrap();
    drop(bus);
    open(dir.path());
}

#[tokio::test]
async fn flush_waits_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let slow = EmbeddedSettings { sync_after: Duration::from_secs(3600), ..settings(dir.path()) };
    let bus = EmbeddedBus::open(slow).unwrap();
    let topic = new_topic(&*bus, 4).await;
    for number in 0..40 {
        drop(bus.send(&topic, record(&format!("k{number}"), "v")).await.unwrap());
    }
    bus.flush().await.unwrap();
    let total: u64 = bus.watermarks(&topic).await.unwrap().iter().map(|bound| bound.high).sum();
    assert_eq!(total, 40);
}
