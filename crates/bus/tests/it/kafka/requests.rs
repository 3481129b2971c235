//! What is asked of the brokers is no more than is needed.

use std::sync::{Arc, Mutex};

use vedette_bus::kafka::KafkaBus;
use vedette_bus::{Bus, StartAt};

use super::settings;
use crate::broker::Broker;
use crate::relay::{FETCH, LIST_OFFSETS, Relay};
use crate::suite::{new_topic, now_ms, read_up, record, send_all};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_are_asked_for_as_seldom_as_can_be() {
    let target = Arc::<Mutex<Option<String>>>::default();
    let relay = Relay::start(Arc::clone(&target));
    let own_port = format!("advertised.listeners=PLAINTEXT://{}\n", relay.address());
    let Some(broker) = Broker::start_with(&own_port) else { return };
    *target.lock().unwrap() = Some(broker.brokers());
    let bus = KafkaBus::connect(settings(relay.address())).await.unwrap();
    let topic = new_topic(&*bus, 16).await;
    let before = now_ms() - 1000;
    let sent = send_all(&*bus, &topic, (0..64).map(|n| record(&format!("k{n}"), format!("{n}")))).await;

    // One record costs no request for offsets, whether it is there or not.
    let (partition, last) = *sent.iter().max_by_key(|(_, offset)| *offset).unwrap();
    for (offset, is_there) in [(0, true), (last, true), (last + 1, false), (last + 1000, false), (1, true)] {
        let (found, asked) = relay.during(LIST_OFFSETS, bus.fetch(&topic, partition, offset)).await;
        assert_eq!((found.unwrap().is_some(), asked), (is_there, 0), "offset {offset}");
    }
    let (found, fetches) = relay.during(FETCH, bus.fetch(&topic, partition, 0)).await;
    assert!(found.unwrap().is_some() && fetches <= 2, "{fetches} requests for one record");

    // With one broker, one request for each end of all partitions that is needed.
    assert_eq!(relay.during(LIST_OFFSETS, bus.watermarks(&topic)).await.1, 2);
    for (start, needed) in [
        (StartAt::Earliest, 2),
        (StartAt::Latest, 1),
        (StartAt::TimeMs(before), 2),
        (StartAt::TimeMs(now_ms() + 3_600_000), 2),
        (StartAt::Offsets(vec![(partition, 0)]), 2),
        (StartAt::Offsets(Vec::new()), 0),
    ] {
        let (reader, asked) = relay.during(LIST_OFFSETS, bus.read(&topic, start.clone())).await;
        assert_eq!(asked, needed, "{start:?}");
        let to_read = match start {
            StartAt::Latest => 0,
            StartAt::TimeMs(time_ms) if time_ms > before => 0,
            StartAt::Offsets(offsets) => offsets.len(),
            _ => bus.watermarks(&topic).await.unwrap().iter().filter(|bound| bound.high > bound.low).count(),
        };
        assert_eq!(reader.unwrap().ends().len(), to_read);
    }
    assert_eq!(read_up(&*bus, &topic, StartAt::TimeMs(before)).await.len(), 64);
}
