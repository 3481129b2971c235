//! Members leave their groups at once, whatever goes on in them.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode as Code;
use vedette_bus::kafka::{GroupProtocol, KafkaBus, KafkaSettings};
use vedette_bus::{Bus, Subscription};

use super::{assigned, serve, settings};
use crate::broker::{self, Broker};
use crate::suite::{new_topic, next_record, record, send_all, unique};

/// How soon the brokers know; a member gives up telling them after longer than this.
const AT_ONCE: Duration = Duration::from_secs(5);

/// The session of members: whoever does not leave is missed after more than any test waits.
const SESSION_MS: &str = "290000";

/// For how many milliseconds members live that are dropped: before, while and after they join.
const LIVES_MS: [u64; 7] = [0, 5, 20, 60, 150, 400, 1200];

/// A broker that forgets no member.
fn patient() -> Option<&'static Broker> {
    static BROKER: OnceLock<Option<Broker>> = OnceLock::new();
    let properties =
        format!("group.consumer.max.session.timeout.ms={SESSION_MS}\ngroup.consumer.session.timeout.ms={SESSION_MS}\n");
    broker::shared_in(&BROKER, || Broker::start_with(&properties))
}

async fn connect(broker: &Broker, group_protocol: GroupProtocol) -> Arc<KafkaBus> {
    let properties = match group_protocol {
        GroupProtocol::Classic => [("session.timeout.ms".to_owned(), SESSION_MS.to_owned())].into(),
        GroupProtocol::Consumer => [].into(),
    };
    let revoke_timeout = Duration::from_secs(300);
    let settings = KafkaSettings { properties, revoke_timeout, group_protocol, ..settings(broker.brokers()) };
    KafkaBus::connect(settings).await.unwrap()
}

/// Deletes the group, which the brokers refuse while it has a member.
async fn delete(broker: &Broker, group: &str) -> Result<(), Code> {
    let config = ClientConfig::new().set("bootstrap.servers", broker.brokers()).clone();
    let admin: AdminClient<DefaultClientContext> = config.create().unwrap();
    match admin.delete_groups(&[&format!("test.{group}")], &AdminOptions::new()).await.unwrap().remove(0) {
        // Nobody came so far as to join it.
        Ok(_) | Err((_, Code::GroupIdNotFound)) => Ok(()),
        Err((_, code)) => Err(code),
    }
}

async fn empty_at_once(broker: &Broker, group: &str) {
    let since = Instant::now();
    while let Err(code) = delete(broker, group).await {
        assert!(since.elapsed() < AT_ONCE, "{group}: {code} after {:?}", since.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Gives back what is asked back while something else happens.
async fn while_serving<T>(member: &mut Subscription, ours: &mut BTreeSet<u32>, work: impl Future<Output = T>) -> T {
    tokio::select! {
        done = work => done,
        () = async { loop { serve(member, ours).await } } => unreachable!(),
    }
}

whoever_decides!(
    patient,
    a_member_with_partitions_leaves,
    a_member_without_partitions_leaves,
    who_comes_and_goes_holds_nobody_up,
    closing_waits_until_the_groups_know
);

async fn a_member_with_partitions_leaves(broker: &Broker, protocol: GroupProtocol) {
    let bus = connect(broker, protocol).await;
    let topic = new_topic(&*bus, 2).await;
    let group = unique("group");
    send_all(&*bus, &topic, [record("k", "old")]).await;
    let mut member = bus.subscribe(&group, &[&topic]).await.unwrap();
    let read = next_record(&mut member, &mut Vec::new()).await.position;
    member.committer().commit(&topic, read.partition, read.offset + 1).await.unwrap();
    drop(member);
    empty_at_once(broker, &group).await;
    // Deleting the group has deleted its commits; those of this one stay.
    let group = unique("group");
    let mut member = bus.subscribe(&group, &[&topic]).await.unwrap();
    let read = next_record(&mut member, &mut Vec::new()).await.position;
    member.committer().commit(&topic, read.partition, read.offset + 1).await.unwrap();
    drop(member);
    let mut next = bus.subscribe(&group, &[&topic]).await.unwrap();
    send_all(&*bus, &topic, [record("k", "new")]).await;
    let repeated = next_record(&mut next, &mut Vec::new()).await.position;
    assert_eq!(repeated.offset, read.offset + 1, "committed before it left");
}

/// It leaves at any moment of its coming.
async fn a_member_without_partitions_leaves(broker: &Broker, protocol: GroupProtocol) {
    let (bus, idle_bus) = (connect(broker, protocol).await, connect(broker, protocol).await);
    let topic = new_topic(&*bus, 1).await;
    for lives in LIVES_MS.map(Duration::from_millis) {
        let group = unique("group");
        let (mut member, mut ours) = (bus.subscribe(&group, &[&topic]).await.unwrap(), BTreeSet::new());
        assigned(&mut member, &mut ours, 1).await;
        let idle = idle_bus.subscribe(&group, &[&topic]).await.unwrap();
        while_serving(&mut member, &mut ours, tokio::time::sleep(lives)).await;
        drop(idle);
        drop(member);
        empty_at_once(broker, &group).await;
    }
}

/// The next member gets its share at once, whenever one before it was dropped on its way.
async fn who_comes_and_goes_holds_nobody_up(broker: &Broker, protocol: GroupProtocol) {
    let (bus, other_bus) = (connect(broker, protocol).await, connect(broker, protocol).await);
    let topic = new_topic(&*bus, 2).await;
    let group = unique("group");
    let (mut stays, mut ours) = (bus.subscribe(&group, &[&topic]).await.unwrap(), BTreeSet::new());
    assigned(&mut stays, &mut ours, 2).await;
    for lives in LIVES_MS.map(Duration::from_millis) {
        let passing = other_bus.subscribe(&group, &[&topic]).await.unwrap();
        while_serving(&mut stays, &mut ours, tokio::time::sleep(lives)).await;
        drop(passing);
        let mut next = other_bus.subscribe(&group, &[&topic]).await.unwrap();
        let mut theirs = BTreeSet::new();
        let share = tokio::time::timeout(2 * AT_ONCE, assigned(&mut next, &mut theirs, 1));
        let share = while_serving(&mut stays, &mut ours, share).await;
        assert!(share.is_ok(), "held up by one that lived {lives:?}");
        drop(next);
        assigned(&mut stays, &mut ours, 2).await;
    }
}

async fn closing_waits_until_the_groups_know(broker: &Broker, protocol: GroupProtocol) {
    for lives in LIVES_MS.map(Duration::from_millis) {
        let bus = connect(broker, protocol).await;
        let topic = new_topic(&*bus, 1).await;
        let group = unique("group");
        // One of them has no partition.
        let members =
            [bus.subscribe(&group, &[&topic]).await.unwrap(), bus.subscribe(&group, &[&topic]).await.unwrap()];
        tokio::time::sleep(lives).await;
        bus.close().await.unwrap();
        assert_eq!(delete(broker, &group).await, Ok(()), "lived {lives:?}");
        drop(members);
    }
}
