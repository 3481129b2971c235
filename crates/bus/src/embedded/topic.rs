use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, oneshot, watch};
use vedette_metrics::{Counter, Gauge, SharedString};

use super::disk::Disk;
use super::partition::Partition;
use super::segment::sync_dir;
use super::settings::EmbeddedSettings;
use super::writer::{Append, Job, Pace, Writer};
use super::{no_thread, storage_error};
use crate::topic::check_numbers;
use crate::{BusError, Delivery, Record, Retention, TopicSpec, metrics, partition_of};

const SPEC_FILE: &str = "topic.json";
/// More than a spec takes.
const MOST_SPEC_BYTES: u64 = 64 << 10;
/// Overhead of a record in the send queue, beside its content.
const RECORD_BYTES: usize = 128;

/// A topic with its partitions and their writer threads.
pub(super) struct Topic {
    pub(super) name: Arc<str>,
    pub(super) partitions: Vec<Arc<Partition>>,
    spec: RwLock<TopicSpec>,
    dir: PathBuf,
    writers: Vec<Sender<Job>>,
    segment_bytes: u64,
    threads: Mutex<Vec<JoinHandle<()>>>,
    room: Arc<Semaphore>,
    room_bytes: usize,
    queued: Gauge,
    waits: Counter,
    changed: Arc<watch::Sender<u64>>,
    /// Partitions whose end was lost, each with the least number of lost records.
    pub(super) lost: Vec<(u32, u64)>,
}

/// The stored spec.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpecFile {
    partitions: u32,
    compact: bool,
    age_ms: Option<u64>,
    bytes: Option<u64>,
    max_record_bytes: u32,
    compress: bool,
}

impl Topic {
    /// Creates a new topic. It exists from the instant its spec file does. `committed` are the commits of one that was there before.
    pub(super) fn create(
        dir: &Path,
        spec: &TopicSpec,
        settings: &EmbeddedSettings,
        disk: &Arc<dyn Disk>,
        committed: &dyn Fn(u32) -> Option<u64>,
    ) -> Result<Self, BusError> {
        let topic = Self::start(dir, spec.clone(), settings, disk, committed)?;
        store_spec(dir, spec)?;
        Ok(topic)
    }

    /// Opens the topic in `dir`, whose highest commits are `committed`; `None` when its creation was never completed.
    pub(super) fn open(
        dir: &Path,
        name: &str,
        settings: &EmbeddedSettings,
        disk: &Arc<dyn Disk>,
        committed: &dyn Fn(u32) -> Option<u64>,
    ) -> Result<Option<Self>, BusError> {
        match Self::stored_spec(dir, name)? {
            Some(spec) => Self::start(dir, spec, settings, disk, committed).map(Some),
            None => Ok(None),
        }
    }

    /// The spec of the topic in `dir`; `None` when its creation was never completed.
    pub(super) fn stored_spec(dir: &Path, name: &str) -> Result<Option<TopicSpec>, BusError> {
        let path = dir.join(SPEC_FILE);
        let mut text = Vec::new();
        match File::open(&path).and_then(|file| file.take(MOST_SPEC_BYTES).read_to_end(&mut text)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(|error| storage_error(&path, &error))?,
        };
        let wrong = |cause: String| BusError::Storage {
            path: path.display().to_string(),
            cause: format!("{cause}; restore the file or move the topic's directory away"),
        };
        let file: SpecFile = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        check_numbers(file.partitions, file.max_record_bytes).map_err(wrong)?;
        let retention = if file.compact {
            Retention::Compact
        } else {
            Retention::Delete { age: Duration::from_millis(file.age_ms.unwrap_or(u64::MAX)), bytes: file.bytes }
        };
        Ok(Some(TopicSpec {
            name: name.to_owned(),
            partitions: file.partitions,
            retention,
            max_record_bytes: file.max_record_bytes,
            compact_after: std::time::Duration::ZERO,
            compress: file.compress,
        }))
    }

    fn start(
        dir: &Path,
        spec: TopicSpec,
        settings: &EmbeddedSettings,
        disk: &Arc<dyn Disk>,
        committed: &dyn Fn(u32) -> Option<u64>,
    ) -> Result<Self, BusError> {
        let name: Arc<str> = spec.name.as_str().into();
        let compacted = spec.retention == Retention::Compact;
        let changed = Arc::new(watch::Sender::new(0));
        let pace = Pace {
            segment_bytes: segment_bytes(&spec, settings.segment_bytes),
            sync_bytes: settings.sync_bytes,
            sync_after: settings.sync_after,
        };
        let queue = || [SharedString::from("send"), spec.name.clone().into()];
        let mut topic = Self {
            partitions: Vec::new(),
            dir: dir.to_owned(),
            writers: Vec::new(),
            segment_bytes: pace.segment_bytes,
            threads: Mutex::default(),
            room: Arc::new(Semaphore::new(settings.send_queue_bytes.min(u32::MAX as usize))),
            room_bytes: settings.send_queue_bytes.min(u32::MAX as usize),
            queued: metrics::QUEUE_BYTES.with(queue()),
            waits: metrics::QUEUE_WAITS.with(queue()),
            changed,
            name,
            spec: RwLock::new(spec),
            lost: Vec::new(),
        };
        let partitions = topic.spec().partitions;
        for id in 0..partitions {
            let dir = dir.join(id.to_string());
            let partition = Partition::open(Arc::clone(&topic.name), id, dir, compacted, disk.as_ref())?;
            if let Some(lost) = partition.continue_behind(committed(id), disk.as_ref())? {
                topic.lost.push((id, lost));
            }
            let partition = Arc::new(partition);
            let writer = Writer::new(Arc::clone(&partition), Arc::clone(disk), pace, Arc::clone(&topic.changed))?;
            let (jobs, queue): (_, Receiver<Job>) = channel();
            let thread = std::thread::Builder::new().name(format!("log-{}-{id}", topic.name));
            let thread = thread.spawn(move || writer.run(&queue)).map_err(|error| no_thread("the log", &error))?;
            topic.partitions.push(partition);
            topic.writers.push(jobs);
            topic.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(topic)
    }

    pub(super) fn spec(&self) -> TopicSpec {
        self.spec.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Applies the settings that may change in an existing topic: retention, and a larger record limit. Any other difference is
    /// an error.
    pub(super) fn alter(&self, wanted: &TopicSpec) -> Result<(), BusError> {
        let found = self.spec();
        Self::check_fit(&found, wanted)?;
        let new = TopicSpec {
            partitions: found.partitions,
            max_record_bytes: found.max_record_bytes.max(wanted.max_record_bytes),
            ..wanted.clone()
        };
        if new != found {
            store_spec(&self.dir, &new)?;
            tracing::info!(topic = %self.name, ?found, ?new, "topic settings changed");
            *self.spec.write().unwrap_or_else(PoisonError::into_inner) = new;
        }
        Ok(())
    }

    /// Whether a topic with spec `found` can be changed to `wanted`.
    pub(super) fn check_fit(found: &TopicSpec, wanted: &TopicSpec) -> Result<(), BusError> {
        let mismatch = |found: String, wanted_is: String, fix: &str| {
            let topic = wanted.name.clone();
            Err(BusError::TopicMismatch { topic, found, wanted: wanted_is, fix: fix.to_owned() })
        };
        if found.partitions < wanted.partitions {
            return mismatch(
                format!("{} partitions", found.partitions),
                format!("at least {}", wanted.partitions),
                "keys would change their partitions; set the smaller number, or move the topic's directory away to begin anew",
            );
        }
        if (found.retention == Retention::Compact) != (wanted.retention == Retention::Compact) {
            let name = |spec: &TopicSpec| {
                if spec.retention == Retention::Compact { "compaction" } else { "retention by age" }.to_owned()
            };
            return mismatch(name(found), name(wanted), "move the topic's directory away to begin anew");
        }
        Ok(())
    }

    /// Queues a record for its partition.
    pub(super) async fn send(&self, record: Record) -> Result<Delivery, BusError> {
        let size = record.size();
        let limit = self.spec.read().unwrap_or_else(PoisonError::into_inner).max_record_bytes as usize;
        if size > limit {
            return Err(BusError::TooLarge { topic: self.name.to_string(), size, limit });
        }
        let partition = partition_of(&record.key, self.partitions.len() as u32) as usize;
        let weight = (size + RECORD_BYTES).min(self.room_bytes) as u32;
        let room = match Arc::clone(&self.room).try_acquire_many_owned(weight) {
            Ok(room) => room,
            Err(_) => {
                self.waits.increment(1);
                Arc::clone(&self.room).acquire_many_owned(weight).await.map_err(|_| BusError::Closed)?
            }
        };
        self.report_queue();
        let (reply, delivery) = Delivery::new();
        let job = Job::Append(Append { record, reply, room });
        self.writers[partition].send(job).map_err(|_| BusError::Closed)?;
        Ok(delivery)
    }

    /// Updates the metrics of the send queue, even when nothing is sent.
    pub(super) fn report_queue(&self) {
        self.queued.set(self.room_bytes.saturating_sub(self.room.available_permits()) as f64);
    }

    /// Waits until all sent records are durable.
    pub(super) async fn flush(&self) -> Result<(), BusError> {
        let mut replies = Vec::with_capacity(self.writers.len());
        for writer in &self.writers {
            let (reply, done) = oneshot::channel();
            writer.send(Job::Flush(reply)).map_err(|_| BusError::Closed)?;
            replies.push(done);
        }
        let mut outcome = Ok(());
        for done in replies {
            outcome = outcome.and(done.await.unwrap_or(Err(BusError::Closed)));
        }
        outcome
    }

    /// Size at which a segment is closed.
    pub(super) fn segment_bytes(&self) -> u64 {
        self.segment_bytes
    }

    /// Starts a new segment in `partition` and waits for it. Blocks.
    pub(super) fn roll(&self, partition: u32) {
        let (reply, done) = channel();
        if self.writers[partition as usize].send(Job::Roll(reply)).is_ok() {
            // An error means that the writer has stopped, which is fine.
            let _ = done.recv();
        }
    }

    /// Notifies of every group commit from now on.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Finishes pending writes and ends the threads. Blocks for a commit at most.
    pub(super) fn stop(&self) {
        self.room.close();
        for writer in &self.writers {
            let _ = writer.send(Job::Stop);
        }
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if thread.join().is_err() {
                tracing::error!(topic = %self.name, "a writer thread had panicked");
            }
        }
    }
}

/// Small enough that a bound in bytes can be kept by deleting whole segments.
fn segment_bytes(spec: &TopicSpec, wanted: u64) -> u64 {
    match spec.retention {
        Retention::Delete { bytes: Some(bytes), .. } => wanted.min((bytes / 4).max(4096)),
        _ => wanted,
    }
}

fn store_spec(dir: &Path, spec: &TopicSpec) -> Result<(), BusError> {
    let (age, bytes) = match spec.retention {
        Retention::Delete { age, bytes } => (Some(age), bytes),
        Retention::Compact => (None, None),
    };
    let file = SpecFile {
        partitions: spec.partitions,
        compact: spec.retention == Retention::Compact,
        age_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
        bytes,
        max_record_bytes: spec.max_record_bytes,
        compress: spec.compress,
    };
    let path = dir.join(SPEC_FILE);
    let temporary = dir.join("topic.json.new");
    let store = || -> std::io::Result<()> {
        let mut out = File::create(&temporary)?;
        out.write_all(&serde_json::to_vec_pretty(&file)?)?;
        out.sync_all()?;
        fs::rename(&temporary, &path)?;
        sync_dir(dir)?;
        dir.parent().map_or(Ok(()), sync_dir)
    };
    store().map_err(|error| storage_error(&path, &error))
}
