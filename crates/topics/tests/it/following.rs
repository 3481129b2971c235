//! A view that panics at a record misses that record only.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;
use vedette_bus::{Delivered, Position, SharedBus, StartAt};
use vedette_runtime::health::Health;
use vedette_topics::dead_letters::Refusal;
use vedette_topics::reading::{self, Follower, View};
use vedette_topics::topics;
use vedette_wire::{DeadLetter, DeadLetterReason};

use crate::support::{LONG, TOPIC, log_to_test_output, open, word, write};

/// Collects words; panics at some.
#[derive(Clone, Default)]
struct Words(Arc<Mutex<Vec<String>>>);

impl Words {
    fn applied(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl View for Words {
    async fn take(&self, record: &Delivered) -> Result<(), Refusal> {
        let word = word(record);
        assert!(!word.starts_with("bad"), "cannot apply {word}");
        self.0.lock().unwrap().push(word.to_owned());
        Ok(())
    }
}

async fn dead_letters(bus: &SharedBus) -> Vec<DeadLetter> {
    let topic = topics::DEAD_LETTERS.name();
    let mut reader = bus.read(topic, StartAt::Earliest).await.unwrap();
    let mut letters = Vec::new();
    let reading = reading::to_end(bus, topic, &mut reader, |record| {
        letters.push(topics::DEAD_LETTERS.read(&record).unwrap());
    });
    reading.await.unwrap();
    letters
}

#[tokio::test]
async fn a_record_at_which_a_view_panics_is_dead_lettered_and_the_next_one_applied() {
    let _guard = log_to_test_output();
    let dir = tempfile::tempdir().unwrap();
    let bus: SharedBus = open(dir.path()).await;
    let mut bad = Vec::new();
    write(&bus, "gate", "first").await;
    bad.push(write(&bus, "gate", "bad one").await);
    write(&bus, "gate", "second").await;
    let words = Words::default();
    let follower = Follower::new(&bus, "words", TOPIC, StartAt::Earliest, words.clone());
    follower.catch_up().await.unwrap();
    assert_eq!(words.applied(), ["first", "second"]);

    // The same for records that arrive later.
    let stop = CancellationToken::new();
    let following = tokio::spawn(follower.run(Health::default(), stop.clone()));
    bad.push(write(&bus, "gate", "bad again").await);
    write(&bus, "gate", "third").await;
    let third = async {
        while words.applied().len() < 3 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LONG, third).await.unwrap();
    stop.cancel();
    following.await.unwrap().unwrap();
    assert_eq!(words.applied(), ["first", "second", "third"]);

    let letters = dead_letters(&bus).await;
    let position = |letter: &DeadLetter| Position {
        topic: letter.topic.as_str().into(),
        partition: letter.partition,
        offset: letter.offset,
    };
    assert_eq!(letters.iter().map(position).collect::<Vec<_>>(), bad);
    assert!(letters.iter().all(|letter| letter.stage == "words" && letter.reason == DeadLetterReason::Panic));
    assert_eq!(letters[0].detail, "panicked: cannot apply bad one");
    bus.close().await.unwrap();
}
