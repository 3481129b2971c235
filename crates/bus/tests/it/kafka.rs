//! Kafka fulfils the contract of the bus: the same suite, and tests that need several members and a network.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use vedette_bus::kafka::{GroupProtocol, KafkaBus, KafkaSettings};
use vedette_bus::{Bus, BusError, GroupEvent, SharedBus, StartAt, Subscription};

use crate::broker::{self, Broker};
use crate::suite::{self, PATIENCE, new_topic, next_record, read_up, record, send_all, unique, within};

fn settings(brokers: String) -> KafkaSettings {
    KafkaSettings {
        topic_prefix: "test.".to_owned(),
        request_timeout: PATIENCE,
        receive_queue_bytes: 1 << 20,
        ..KafkaSettings::new(brokers)
    }
}

async fn connect(broker: &Broker) -> Arc<KafkaBus> {
    connect_with(broker, GroupProtocol::Classic).await
}

async fn connect_with(broker: &Broker, group_protocol: GroupProtocol) -> Arc<KafkaBus> {
    KafkaBus::connect(KafkaSettings { group_protocol, ..settings(broker.brokers()) }).await.unwrap()
}

/// Makes tests, on the broker that a function gives, of what must be so whoever shares out the partitions.
macro_rules! whoever_decides {
    ($broker:ident, $($name:ident),* $(,)?) => {
        mod members_decide {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(broker) = super::$broker() else { return };
                super::$name(broker, super::GroupProtocol::Classic).await;
            })*
        }
        mod brokers_decide {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let Some(broker) = super::$broker() else { return };
                super::$name(broker, super::GroupProtocol::Consumer).await;
            })*
        }
    };
}

mod leaving;
mod requests;

whoever_decides!(
    any_broker,
    a_group_goes_on_from_its_commit,
    two_members_share_a_group,
    what_is_in_hand_is_committed_before_it_moves
);

fn any_broker() -> Option<&'static Broker> {
    broker::shared()
}

async fn a_group_goes_on_from_its_commit(broker: &Broker, protocol: GroupProtocol) {
    suite::group_resumes_from_its_commit(connect_with(broker, protocol).await).await;
}

macro_rules! conformance {
    ($($name:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let Some(broker) = broker::shared() else { return };
            let bus: SharedBus = connect(broker).await;
            suite::$name(bus).await;
        }
    )*};
}

every_promise!(conformance);

#[tokio::test]
async fn no_broker_is_said_plainly() {
    let settings = KafkaSettings { request_timeout: Duration::from_secs(1), ..settings("127.0.0.1:1".to_owned()) };
    let error = KafkaBus::connect(settings).await.err().unwrap();
    assert!(matches!(error, BusError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("127.0.0.1:1") && text.contains("check that the brokers run"), "{text}");
}

#[tokio::test]
async fn settings_that_break_promises_are_refused() {
    let mut wrong = settings("127.0.0.1:1".to_owned());
    wrong.properties.insert("acks".to_owned(), "1".to_owned());
    let error = KafkaBus::connect(wrong).await.err().unwrap();
    assert!(error.to_string().contains("properties.acks"), "{error}");
    let mut unknown = settings("127.0.0.1:1".to_owned());
    unknown.properties.insert("no.such.thing".to_owned(), "1".to_owned());
    let error = KafkaBus::connect(unknown).await.err().unwrap();
    assert!(error.to_string().contains("no.such.thing"), "{error}");
    let mut meaningless =
        KafkaSettings { group_protocol: GroupProtocol::Consumer, ..settings("127.0.0.1:1".to_owned()) };
    meaningless.properties.insert("session.timeout.ms".to_owned(), "6000".to_owned());
    let error = KafkaBus::connect(meaningless).await.err().unwrap();
    assert!(error.to_string().contains("group.consumer.session.timeout.ms"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_do_not_decide_are_said_plainly() {
    let Some(broker) = Broker::start_with("group.coordinator.rebalance.protocols=classic\n") else { return };
    let bus = connect_with(&broker, GroupProtocol::Consumer).await;
    let topic = new_topic(&*bus, 1).await;
    let mut member = bus.subscribe(&unique("group"), &[&topic]).await.unwrap();
    let error = within("the refusal", member.next()).await.unwrap_err();
    assert!(matches!(error, BusError::Refused { .. }) && error.to_string().contains("Kafka 4.0"), "{error}");
}

/// The partitions of a member once it has `count` of them.
async fn assigned(member: &mut Subscription, ours: &mut BTreeSet<u32>, count: usize) {
    while ours.len() != count {
        within("an assignment", serve(member, ours)).await;
    }
}

/// Takes the next event of a member, and gives back what is asked back.
async fn serve(member: &mut Subscription, ours: &mut BTreeSet<u32>) {
    match member.next().await.unwrap() {
        GroupEvent::Assigned(new) => ours.extend(new.iter().map(|(_, partition)| *partition)),
        GroupEvent::Revoked(revocation) => {
            ours.retain(|mine| !revocation.partitions.iter().any(|(_, partition)| partition == mine));
            revocation.done();
        }
        GroupEvent::Record(_) => {}
    }
}

/// Waits until the brokers have so many members in the group.
async fn settled(broker: &Broker, group: &str, members: usize) {
    let asking: BaseConsumer = ClientConfig::new().set("bootstrap.servers", broker.brokers()).create().unwrap();
    let group = format!("test.{group}");
    let is_settled = || {
        let list = asking.fetch_group_list(Some(&group), PATIENCE).unwrap();
        list.groups().iter().any(|found| found.state() == "Stable" && found.members().len() == members)
    };
    within("the members", async {
        while !is_settled() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// Threads of members of groups whose name begins so.
fn member_threads(group: &str) -> usize {
    let names = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = names.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|name| name.starts_with(&format!("kafka-{group}"))).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_closed_has_left_its_groups() {
    let Some(broker) = broker::shared() else { return };
    // Whoever does not leave is missed after more than any test waits.
    let missed_late = || {
        let properties = [("session.timeout.ms".to_owned(), "290000".to_owned())].into();
        let revoke_timeout = Duration::from_secs(300);
        KafkaBus::connect(KafkaSettings { properties, revoke_timeout, ..settings(broker.brokers()) })
    };
    let (bus, idle_bus) = (missed_late().await.unwrap(), missed_late().await.unwrap());
    let topic = new_topic(&*bus, 1).await;
    let group = unique("closer");
    let mut member = bus.subscribe(&group, &[&topic]).await.unwrap();
    assigned(&mut member, &mut BTreeSet::new(), 1).await;
    // This one gets no partition.
    let idle = idle_bus.subscribe(&group, &[&topic]).await.unwrap();
    settled(broker, &group, 2).await;
    for (bus, member) in [(idle_bus, idle), (bus, member)] {
        drop(member);
        bus.close().await.unwrap();
        assert!(matches!(bus.subscribe(&group, &[&topic]).await, Err(BusError::Closed)));
    }
    // The process may end now: nothing is left to be said to the brokers, and the next member need not wait.
    assert_eq!(member_threads("closer"), 0);
    let other = missed_late().await.unwrap();
    let mut next = other.subscribe(&group, &[&topic]).await.unwrap();
    assigned(&mut next, &mut BTreeSet::new(), 1).await;
}

async fn two_members_share_a_group(broker: &Broker, protocol: GroupProtocol) {
    let bus = connect_with(broker, protocol).await;
    let topic = new_topic(&*bus, 4).await;
    let group = unique("group");
    let (mut mine, mut others) = (BTreeSet::new(), BTreeSet::new());
    let mut first = bus.subscribe(&group, &[&topic]).await.unwrap();
    assigned(&mut first, &mut mine, 4).await;
    let second_bus = connect_with(broker, protocol).await;
    let mut second = second_bus.subscribe(&group, &[&topic]).await.unwrap();
    tokio::join!(assigned(&mut first, &mut mine, 2), assigned(&mut second, &mut others, 2));
    assert!(mine.is_disjoint(&others));
    let sent = send_all(&*bus, &topic, (0..80).map(|n| record(&format!("k{n}"), "v"))).await;
    let count = |ours: &BTreeSet<u32>| sent.iter().filter(|(partition, _)| ours.contains(partition)).count();
    for (member, ours) in [(&mut first, &mine), (&mut second, &others)] {
        for _ in 0..count(ours) {
            let read = next_record(member, &mut Vec::new()).await;
            assert!(ours.contains(&read.position.partition));
        }
    }
    // One leaves, the other takes over.
    drop(second);
    assigned(&mut first, &mut mine, 4).await;
}

async fn what_is_in_hand_is_committed_before_it_moves(broker: &Broker, protocol: GroupProtocol) {
    let bus = connect_with(broker, protocol).await;
    let topic = new_topic(&*bus, 2).await;
    let group = unique("group");
    send_all(&*bus, &topic, (0..100).map(|n| record(&format!("k{n}"), "v"))).await;
    let mut first = bus.subscribe(&group, &[&topic]).await.unwrap();
    let committer = first.committer();
    let mut next = [0; 2];
    for _ in 0..100 {
        let position = next_record(&mut first, &mut Vec::new()).await.position;
        next[position.partition as usize] = position.offset + 1;
    }
    // Nothing is committed yet. A second member takes one partition; only then the first one commits what it had in hand.
    let second_bus = connect_with(broker, protocol).await;
    let mut second = second_bus.subscribe(&group, &[&topic]).await.unwrap();
    let moved = loop {
        if let GroupEvent::Revoked(revocation) = within("a revocation", first.next()).await.unwrap() {
            let (_, moved) = revocation.partitions[0].clone();
            committer.commit(&topic, moved, next[moved as usize]).await.unwrap();
            revocation.done();
            break moved;
        }
    };
    assigned(&mut second, &mut BTreeSet::new(), 1).await;
    let late = committer.commit(&topic, moved, next[moved as usize]).await;
    assert!(matches!(late, Err(BusError::Refused { .. })), "{late:?}");
    let key =
        (0..100).map(|n| format!("k{n}")).find(|key| vedette_bus::partition_of(key.as_bytes(), 2) == moved).unwrap();
    send_all(&*bus, &topic, [record(&key, "new")]).await;
    let read = next_record(&mut second, &mut Vec::new()).await;
    assert_eq!((read.position.partition, read.position.offset), (moved, next[moved as usize]), "no record is repeated");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_goes_away_and_returns_loses_nothing() {
    let Some(broker) = Broker::start() else { return };
    let bus = connect(&broker).await;
    let topic = new_topic(&*bus, 1).await;
    let group = unique("group");
    let mut member = bus.subscribe(&group, &[&topic]).await.unwrap();
    let mut reader = bus.read(&topic, StartAt::Earliest).await.unwrap();
    send_all(&*bus, &topic, (0..5).map(|n| record("k", format!("{n}")))).await;
    for offset in 0..5 {
        assert_eq!(next_record(&mut member, &mut Vec::new()).await.position.offset, offset);
    }
    broker.kill();
    let unreachable = loop {
        match within("a report", member.next()).await {
            Err(error) => break error,
            Ok(event) => assert!(!matches!(event, GroupEvent::Record(_)), "{event:?}"),
        }
    };
    assert!(matches!(unreachable, BusError::Unreachable { .. }), "{unreachable}");
    // Sent while nobody is there to take it.
    let waiting = bus.send(&topic, record("k", "meanwhile")).await.unwrap();
    broker.restart();
    // Where it lies is unknown when its first try was written but the answer got lost; that it lies there once is read below.
    let written = within("the delivery", waiting).await.unwrap();
    assert!(written.offset.is_none_or(|offset| offset == 5), "{written:?}");
    // Nothing was committed, so a member that had to join anew begins again; none is left out on the way to the new one.
    let mut last = next_record(&mut member, &mut Vec::new()).await.position.offset;
    while last < 5 {
        let offset = next_record(&mut member, &mut Vec::new()).await.position.offset;
        assert_eq!(offset, last + 1);
        last = offset;
    }
    assert_eq!(last, 5);
    let mut offset = 0;
    while offset < 6 {
        match within("the reader", reader.next()).await {
            Ok(read) => {
                assert_eq!(read.position.offset, offset);
                offset += 1;
            }
            Err(error) => assert!(matches!(error, BusError::Unreachable { .. }), "{error}"),
        }
    }
    assert_eq!(read_up(&*bus, &topic, StartAt::Earliest).await.len(), 6);
}
