//! The contract of every adapter, as checks that are independent of the adapter.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use vedette_bus::{
    Bus, BusError, Delivered, GroupEvent, Header, Reader, Record, Retention, SharedBus, StartAt, Subscription,
    TopicSpec, partition_of,
};

/// Longest wait for something that must come; only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn now_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "Kafka's retention goes by the wall clock")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

/// A name that no other test of this process uses.
pub(crate) fn unique(what: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    format!("{what}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn spec(name: &str, partitions: u32) -> TopicSpec {
    TopicSpec {
        name: name.to_owned(),
        partitions,
        retention: Retention::Delete { age: Duration::from_hours(24), bytes: None },
        max_record_bytes: 1 << 20,
        compact_after: std::time::Duration::ZERO,
        compress: true,
    }
}

pub(crate) async fn new_topic(bus: &dyn Bus, partitions: u32) -> String {
    let name = unique("topic");
    bus.ensure_topics(&[spec(&name, partitions)]).await.unwrap();
    name
}

pub(crate) fn record(key: &str, value: impl Into<Bytes>) -> Record {
    Record { key: key.to_owned().into(), value: Some(value.into()), headers: Vec::new(), timestamp_ms: now_ms() }
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what}: nothing within {PATIENCE:?}"))
}

/// Sends all, in order, and waits until all are durable.
pub(crate) async fn send_all(bus: &dyn Bus, topic: &str, records: impl IntoIterator<Item = Record>) -> Vec<(u32, u64)> {
    let mut deliveries = Vec::new();
    for record in records {
        deliveries.push(within("send", bus.send(topic, record)).await.unwrap());
    }
    let mut positions = Vec::new();
    for delivery in deliveries {
        let position = within("delivery", delivery).await.unwrap();
        assert_eq!(&*position.topic, topic);
        positions.push((position.partition, position.offset.expect("no send was repeated")));
    }
    positions
}

pub(crate) async fn take(reader: &mut Reader, count: usize) -> Vec<Delivered> {
    let mut records = Vec::new();
    while records.len() < count {
        records.push(within("a record", reader.next()).await.unwrap());
    }
    records
}

/// Reads up to where the topic ended when the reader was made.
pub(crate) async fn read_up(bus: &dyn Bus, topic: &str, start: StartAt) -> Vec<Delivered> {
    let mut reader = bus.read(topic, start).await.unwrap();
    let mut open: HashMap<u32, u64> = reader.ends().iter().copied().collect();
    let mut records = Vec::new();
    while !open.is_empty() {
        let read = within("a record", reader.next()).await.unwrap();
        if open.get(&read.position.partition).is_some_and(|end| read.position.offset + 1 >= *end) {
            open.remove(&read.position.partition);
        }
        records.push(read);
    }
    records
}

/// The next record of a group; the partitions that were assigned before it are added to `ours`.
pub(crate) async fn next_record(subscription: &mut Subscription, ours: &mut Vec<u32>) -> Delivered {
    loop {
        match within("a record of the group", subscription.next()).await {
            Ok(GroupEvent::Record(read)) => return read,
            Ok(GroupEvent::Assigned(partitions)) => ours.extend(partitions.iter().map(|(_, partition)| *partition)),
            Ok(GroupEvent::Revoked(revocation)) => {
                ours.retain(|mine| !revocation.partitions.iter().any(|(_, partition)| partition == mine));
                revocation.done();
            }
            Err(BusError::Unreachable { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Passes the name of each check to a macro that makes a test of it.
macro_rules! every_promise {
    ($test:ident) => {
        $test!(
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
    };
}

pub(crate) async fn keys_keep_partition_and_order(bus: SharedBus) {
    let topic = new_topic(&*bus, 5).await;
    let records: Vec<_> =
        (0..600).map(|number| record(&format!("camera-{}", number % 40), number.to_string())).collect();
    let positions = send_all(&*bus, &topic, records.clone()).await;
    for (record, (partition, _)) in records.iter().zip(&positions) {
        assert_eq!(*partition, partition_of(&record.key, 5), "{:?}", record.key);
    }
    let mut by_key: BTreeMap<Bytes, Vec<u32>> = BTreeMap::new();
    for read in read_up(&*bus, &topic, StartAt::Earliest).await {
        let number: u32 = std::str::from_utf8(&read.record.value.unwrap()).unwrap().parse().unwrap();
        assert_eq!((read.position.partition, read.position.offset), positions[number as usize]);
        by_key.entry(read.record.key).or_default().push(number);
    }
    assert_eq!(by_key.len(), 40);
    assert!(by_key.values().all(|numbers| numbers.len() == 15 && numbers.is_sorted()));
}

pub(crate) async fn group_resumes_from_its_commit(bus: SharedBus) {
    let topic = new_topic(&*bus, 1).await;
    let group = unique("group");
    send_all(&*bus, &topic, (0..20).map(|number| record("k", number.to_string()))).await;
    let mut ours = Vec::new();
    let mut first = bus.subscribe(&group, &[&topic]).await.unwrap();
    for offset in 0..20 {
        assert_eq!(next_record(&mut first, &mut ours).await.position.offset, offset);
    }
    assert_eq!(ours, [0]);
    within("commit", first.committer().commit(&topic, 0, 7)).await.unwrap();
    drop(first);
    // Nothing is committed that was not asked for: twelve records were read and are delivered again.
    let mut second = bus.subscribe(&group, &[&topic]).await.unwrap();
    assert_eq!(next_record(&mut second, &mut Vec::new()).await.position.offset, 7);
    // Another group has its own place.
    let mut other = bus.subscribe(&unique("group"), &[&topic]).await.unwrap();
    assert_eq!(next_record(&mut other, &mut Vec::new()).await.position.offset, 0);
}

pub(crate) async fn commit_elsewhere_is_refused(bus: SharedBus) {
    let topic = new_topic(&*bus, 1).await;
    let mut member = bus.subscribe(&unique("group"), &[&topic]).await.unwrap();
    send_all(&*bus, &topic, [record("k", "v")]).await;
    next_record(&mut member, &mut Vec::new()).await;
    let committer = member.committer();
    assert!(matches!(committer.commit(&topic, 9, 1).await, Err(BusError::Refused { .. })));
    assert!(matches!(committer.commit("elsewhere", 0, 1).await, Err(BusError::Refused { .. })));
    within("commit", committer.commit(&topic, 0, 1)).await.unwrap();
    drop(member);
    let left = within("commit after leaving", committer.commit(&topic, 0, 1)).await;
    assert!(left.is_err(), "commit after leaving must fail");
}

pub(crate) async fn replay_from_offset_and_time(bus: SharedBus) {
    let topic = new_topic(&*bus, 2).await;
    let base = now_ms() - 3_600_000;
    let key = (0..).map(|n| format!("k{n}")).find(|key| partition_of(key.as_bytes(), 2) == 1).unwrap();
    let timed =
        (0..100).map(|number| Record { timestamp_ms: base + 1000 * number, ..record(&key, number.to_string()) });
    send_all(&*bus, &topic, timed).await;
    let mut reader = bus.read(&topic, StartAt::Offsets(vec![(1, 42)])).await.unwrap();
    assert_eq!(reader.ends(), [(1, 100)]);
    assert_eq!(take(&mut reader, 1).await[0].position.offset, 42);
    let mut reader = bus.read(&topic, StartAt::TimeMs(base + 59_500)).await.unwrap();
    let read = take(&mut reader, 40).await;
    assert_eq!((read[0].position.offset, read[0].record.timestamp_ms), (60, base + 60_000));
    assert_eq!(read[39].position.offset, 99);
    // After the newest: only what comes.
    let mut reader = bus.read(&topic, StartAt::TimeMs(base + 1_000_000)).await.unwrap();
    send_all(&*bus, &topic, [record(&key, "new")]).await;
    assert_eq!(take(&mut reader, 1).await[0].position.offset, 100);
}

pub(crate) async fn latest_follows_what_comes(bus: SharedBus) {
    let topic = new_topic(&*bus, 3).await;
    send_all(&*bus, &topic, (0..9).map(|number| record(&format!("k{number}"), "old"))).await;
    let mut reader = bus.read(&topic, StartAt::Latest).await.unwrap();
    let bounds = bus.watermarks(&topic).await.unwrap();
    assert_eq!(bounds.iter().map(|bound| bound.high - bound.low).sum::<u64>(), 9);
    assert_eq!(reader.ends(), [], "there is nothing to catch up with");
    for round in 0..5 {
        let sent = send_all(&*bus, &topic, [record(&format!("k{round}"), "new")]).await;
        let read = take(&mut reader, 1).await.remove(0);
        assert_eq!((read.position.partition, read.position.offset), sent[0]);
        assert_eq!(read.record.value.as_deref(), Some(&b"new"[..]));
    }
}

pub(crate) async fn content_survives(bus: SharedBus) {
    let topic = new_topic(&*bus, 2).await;
    let any: Bytes = (0..=255).collect::<Vec<u8>>().into();
    let header = |name: &str, value: Bytes| Header { name: name.to_owned(), value };
    let records = [
        Record {
            key: any.clone(),
            value: Some(any.clone()),
            headers: vec![header("ce_id", any.clone()), header("ce_id", Bytes::new()), header("empty", Bytes::new())],
            timestamp_ms: now_ms() - 123,
        },
        Record { key: "gone".into(), value: None, headers: vec![header("why", "test".into())], timestamp_ms: now_ms() },
        Record { key: Bytes::new(), value: Some(Bytes::new()), headers: vec![], timestamp_ms: now_ms() },
    ];
    let positions = send_all(&*bus, &topic, records.clone()).await;
    for (record, (partition, offset)) in records.iter().zip(positions) {
        let read = bus.fetch(&topic, partition, offset).await.unwrap().unwrap();
        assert_eq!(&read.record, record);
        assert_eq!(
            (&*read.position.topic, read.position.partition, read.position.offset),
            (&*topic, partition, offset)
        );
    }
}

pub(crate) async fn large_records_pass_and_larger_ones_do_not(bus: SharedBus) {
    let name = unique("video");
    let video = TopicSpec { compress: false, max_record_bytes: 1_000_000, ..spec(&name, 2) };
    bus.ensure_topics(&[video]).await.unwrap();
    let chunk: Bytes =
        (0..900 * 1024u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>().into();
    send_all(&*bus, &name, (0..12).map(|number| record(&format!("camera-{number}"), chunk.clone()))).await;
    for read in read_up(&*bus, &name, StartAt::Earliest).await {
        assert!(read.record.value.as_ref() == Some(&chunk));
    }
    let just = record("k", vec![7; 999_999]);
    send_all(&*bus, &name, [just]).await;
    let refused = bus.send(&name, record("k", vec![7; 1_000_000])).await;
    let Err(BusError::TooLarge { topic, size, limit }) = refused else { panic!("{refused:?}") };
    assert_eq!((topic, size, limit), (name, 1_000_001, 1_000_000));
}

pub(crate) async fn fetch_finds_one_or_none(bus: SharedBus) {
    let topic = new_topic(&*bus, 1).await;
    send_all(&*bus, &topic, (0..300).map(|number| record("k", format!("{number:0500}")))).await;
    for offset in [0, 1, 150, 299] {
        let read = bus.fetch(&topic, 0, offset).await.unwrap().unwrap();
        assert_eq!(read.record.value.unwrap(), format!("{offset:0500}").as_bytes());
    }
    assert_eq!(bus.fetch(&topic, 0, 300).await.unwrap(), None);
    assert!(matches!(bus.fetch(&topic, 3, 0).await, Err(BusError::Refused { .. })));
}

pub(crate) async fn unknown_topics_are_named(bus: SharedBus) {
    let name = unique("nowhere");
    let unknown =
        |error: BusError| assert!(matches!(&error, BusError::UnknownTopic(topic) if *topic == name), "{error}");
    unknown(bus.send(&name, record("k", "v")).await.unwrap_err());
    unknown(bus.read(&name, StartAt::Earliest).await.err().unwrap());
    unknown(bus.subscribe("g", &[&name]).await.err().unwrap());
    unknown(bus.fetch(&name, 0, 0).await.unwrap_err());
    unknown(bus.watermarks(&name).await.unwrap_err());
    let bad = bus.ensure_topics(&[spec("no spaces", 1)]).await.unwrap_err();
    assert!(bad.to_string().contains("letters"), "{bad}");
}

pub(crate) async fn other_limits_are_refused(bus: SharedBus) {
    let topic = new_topic(&*bus, 2).await;
    bus.ensure_topics(&[spec(&topic, 2)]).await.unwrap();
    bus.ensure_topics(&[spec(&topic, 1)]).await.unwrap();
    let more = bus.ensure_topics(&[spec(&topic, 3)]).await.unwrap_err();
    assert!(matches!(&more, BusError::TopicMismatch { .. }) && more.to_string().contains('3'), "{more}");
    let other = TopicSpec { retention: Retention::Compact, ..spec(&topic, 2) };
    let other = bus.ensure_topics(&[other]).await.unwrap_err();
    assert!(matches!(&other, BusError::TopicMismatch { .. }), "{other}");
}

pub(crate) async fn slow_consumer_loses_nothing(bus: SharedBus) {
    let topic = new_topic(&*bus, 3).await;
    let mut member = bus.subscribe(&unique("group"), &[&topic]).await.unwrap();
    // More than the receive queue of the test's bus holds, so that reading must pause and go on.
    let value = Bytes::from(vec![1; 50_000]);
    let count = 200;
    let sent =
        send_all(&*bus, &topic, (0..count).map(|number| record(&format!("k{}", number % 7), value.clone()))).await;
    let mut read = Vec::new();
    for _ in 0..count {
        let position = next_record(&mut member, &mut Vec::new()).await.position;
        read.push((position.partition, position.offset));
    }
    for partition in 0..3 {
        let of = |list: &[(u32, u64)]| list.iter().filter(|at| at.0 == partition).map(|at| at.1).collect::<Vec<_>>();
        assert_eq!(of(&read), of(&sent));
    }
}

pub(crate) async fn retention_takes_the_old(bus: SharedBus) {
    let name = unique("short");
    let short =
        TopicSpec { retention: Retention::Delete { age: Duration::from_mins(10), bytes: None }, ..spec(&name, 1) };
    bus.ensure_topics(&[short]).await.unwrap();
    let old = (0..10).map(|_| Record { timestamp_ms: now_ms() - 3_600_000, ..record("k", "old") });
    send_all(&*bus, &name, old).await;
    let deadline = Instant::now() + PATIENCE;
    while bus.watermarks(&name).await.unwrap()[0].low < 10 {
        assert!(Instant::now() < deadline, "old records are still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(bus.fetch(&name, 0, 3).await.unwrap(), None);
    send_all(&*bus, &name, [record("k", "new")]).await;
    let read = read_up(&*bus, &name, StartAt::Earliest).await;
    assert_eq!(read.iter().map(|read| read.position.offset).collect::<Vec<_>>(), [10]);
    // A group that starts anew begins at what is kept.
    let mut member = bus.subscribe(&unique("group"), &[&name]).await.unwrap();
    assert_eq!(next_record(&mut member, &mut Vec::new()).await.position.offset, 10);
}

pub(crate) async fn compaction_keeps_the_last_of_each_key(bus: SharedBus) {
    let name = unique("registry");
    bus.ensure_topics(&[TopicSpec { retention: Retention::Compact, ..spec(&name, 1) }]).await.unwrap();
    let filler = "x".repeat(300);
    let mut versions: BTreeMap<String, usize> = BTreeMap::new();
    let mut written = 0;
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Writing goes on, so that there is a newest segment that may stay as it is.
        let batch: Vec<_> = (written..written + 60)
            .map(|number| {
                let key = format!("camera-{}", number % 6);
                versions.insert(key.clone(), number);
                record(&key, format!("{number} {filler}"))
            })
            .collect();
        written += batch.len();
        send_all(&*bus, &name, batch).await;
        let read = read_up(&*bus, &name, StartAt::Earliest).await;
        assert!(read.is_sorted_by_key(|read| read.position.offset));
        let mut last = BTreeMap::new();
        for read in &read {
            let text = std::str::from_utf8(read.record.value.as_ref().unwrap()).unwrap();
            let number: usize = text.split(' ').next().unwrap().parse().unwrap();
            assert_eq!(number as u64, read.position.offset, "offsets stay");
            last.insert(String::from_utf8(read.record.key.to_vec()).unwrap(), number);
        }
        assert_eq!(last, versions, "the last version of each key is there");
        if read.len() * 2 < written {
            break;
        }
        assert!(Instant::now() < deadline, "{} of {written} records are still there", read.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(bus.fetch(&name, 0, 0).await.unwrap(), None);
}
