//! Whatever is logged while a record is processed says which record it is about, and of which camera, at the level `warn` too.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use vedette_bus::embedded::EmbeddedBus;
use vedette_bus::{BusError, Delivered, Position, SharedBus, StartAt};
use vedette_runtime::health::Health;
use vedette_topics::consumer::{self, Consumer, Effect, Offsets};
use vedette_topics::dead_letters::Refusal;
use vedette_topics::reading::{Follower, View};

use crate::support::{LONG, TOPIC, open, word, write};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// The one line with this text.
    fn line(&self, text: &str) -> String {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let mut lines = log.lines().filter(|line| line.contains(text));
        let line = lines.next().unwrap_or_else(|| panic!("`{text}` is not in:\n{log}"));
        assert_eq!(lines.next(), None, "{log}");
        line.to_owned()
    }
}

/// Warns wherever it has a record in its hands; refuses `refused`, and ends itself when it has finished the others.
struct Warning {
    left: Arc<AtomicUsize>,
    stop: CancellationToken,
}

impl Consumer for Warning {
    type Error = vedette_topics::TopicError;
    type Message = ();

    fn group(&self) -> String {
        "warning".to_owned()
    }

    fn stage(&self) -> &'static str {
        "warning"
    }

    fn topics(&self) -> Vec<String> {
        vec![TOPIC.to_owned()]
    }

    fn read(&self, record: &Delivered) -> Result<(), Refusal> {
        tracing::warn!("reading {}", word(record));
        match word(record) {
            "refused" => Err(Refusal::invalid("it says so".to_owned())),
            _ => Ok(()),
        }
    }

    async fn take(&mut self, record: Delivered, (): (), _: &mut Offsets) -> Result<Effect, Self::Error> {
        tracing::warn!("taking {}", word(&record));
        let (left, stop) = (self.left.clone(), self.stop.clone());
        let effect = async move {
            tokio::task::yield_now().await;
            tracing::warn!("finishing {}", word(&record));
            if left.fetch_sub(1, Ordering::Relaxed) == 1 {
                stop.cancel();
            }
            Ok(())
        };
        Ok(Effect::Pending(effect.boxed()))
    }
}

/// Warns of each record.
struct Watching;

#[async_trait]
impl View for Watching {
    async fn take(&self, record: &Delivered) -> Result<(), Refusal> {
        tracing::warn!("following {}", word(record));
        Ok(())
    }
}

async fn bus_with_records(dir: &std::path::Path) -> (Arc<EmbeddedBus>, Vec<Position>) {
    let bus = open(dir).await;
    let shared: SharedBus = bus.clone();
    let mut positions = Vec::new();
    for (key, word) in [("gate", "first"), ("gate", "refused"), ("group/yard", "other"), ("gate", "last")] {
        positions.push(write(&shared, key, word).await);
    }
    (bus, positions)
}

#[tokio::test]
async fn a_warning_about_a_record_names_its_topic_partition_offset_and_camera() -> Result<(), BusError> {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("warn"))
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let dir = tempfile::tempdir().unwrap();
    let (bus, positions) = bus_with_records(dir.path()).await;
    let shared: SharedBus = bus.clone();
    let stop = CancellationToken::new();
    let warning = Warning { left: Arc::new(3.into()), stop: stop.clone() };
    let consuming = consumer::run(warning, shared.clone(), Health::default(), stop);
    tokio::time::timeout(LONG, consuming).await.unwrap().unwrap();
    let follower = Follower::new(&shared, "cameras", TOPIC, StartAt::Earliest, Watching);
    follower.catch_up().await?;

    let span = |index: usize, camera: &str| {
        let Position { topic, partition, offset } = &positions[index];
        format!("record{{topic={topic} partition={partition} offset={offset}{camera}}}: ")
    };
    let (first, refused, other) = (span(0, " camera=gate"), span(1, " camera=gate"), span(2, ""));
    for (text, span) in [
        ("reading first", &first),
        ("taking first", &first),
        ("finishing first", &first),
        ("following first", &first),
        ("record dead-lettered", &refused),
        ("taking other", &other),
        ("following other", &other),
    ] {
        let line = log.line(text);
        assert!(line.contains(span), "{span} is not in {line}");
    }
    shared.close().await
}
