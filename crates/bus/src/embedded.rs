//! A durable log in a directory, inside the process: the bus of a single machine.
//!
//! A topic is a directory of partitions, a partition a sequence of segment files of checksummed frames (`frame.rs`), each with a
//! sparse index by offset and time. One thread per partition writes in group commits; a delivery resolves after
//! `fdatasync`. Readers see durable records only. At start an unfinished write at the end is truncated; damage elsewhere
//! loses the damaged records only. One process owns a directory, so a group has one member, with all partitions.

mod compact;
mod cursor;
mod disk;
mod frame;
mod frames;
mod group;
mod index;
mod lock;
mod partition;
mod probe;
mod pump;
mod segment;
mod settings;
mod sweep;
mod topic;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::queue::bytes_bounded;
use crate::{
    Bus, BusError, Committer, Delivered, Delivery, GroupEvent, Reader, Record, StartAt, Subscription, TopicSpec,
    Watermarks, metrics, topic as names,
};
use cursor::Cursor;
use disk::{Disk, FileSystem};
use group::{COMMITS, Groups};
use lock::take_lock;
use partition::Partition;
pub use probe::Held;
use pump::pump;
pub use settings::{Clock, EmbeddedSettings};
use topic::Topic;

/// The embedded log. Dropping it finishes pending writes and closes the files.
pub struct EmbeddedBus {
    inner: Arc<Inner>,
    sweeper: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

struct Inner {
    settings: EmbeddedSettings,
    disk: Arc<dyn Disk>,
    topics: RwLock<HashMap<String, Arc<Topic>>>,
    creating: Mutex<()>,
    judge: Mutex<sweep::Judge>,
    groups: Arc<Groups>,
    commits: Arc<Topic>,
    closed: CancellationToken,
    lock: Mutex<Option<File>>,
}

fn storage_error(path: &Path, error: &io::Error) -> BusError {
    let way_out = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free space or shorten the topics' retention, writing resumes automatically"
        }
        io::ErrorKind::PermissionDenied => "; give this user the right to write there",
        _ => "",
    };
    BusError::Storage { path: path.display().to_string(), cause: format!("{error}{way_out}") }
}

fn no_thread(of: &str, error: &io::Error) -> BusError {
    BusError::NoThread { of: of.to_owned(), cause: error.to_string() }
}

impl EmbeddedBus {
    /// Opens the log in a directory, creating it if new, and repairs what an unclean shutdown left behind. Blocks while it
    /// reads the most recently written segments.
    ///
    /// # Errors
    /// When a setting is out of range, another process has the directory, or the disk refuses.
    pub fn open(settings: EmbeddedSettings) -> Result<Arc<Self>, BusError> {
        Self::open_on(settings, Arc::new(FileSystem))
    }

    fn open_on(settings: EmbeddedSettings, disk: Arc<dyn Disk>) -> Result<Arc<Self>, BusError> {
        settings.check()?;
        let topics_dir = settings.dir.join("topics");
        fs::create_dir_all(&topics_dir).map_err(|error| storage_error(&settings.dir, &error))?;
        let lock = take_lock(&settings.dir)?;
        // First, since they tell how far the other topics reached.
        let commits = match Topic::open(&topics_dir.join(COMMITS), COMMITS, &settings, &disk, &|_| None)? {
            Some(topic) => Arc::new(topic),
            None => {
                Arc::new(Topic::create(&topics_dir.join(COMMITS), &group::commits_spec(), &settings, &disk, &|_| None)?)
            }
        };
        let groups = Groups::load(Arc::clone(&commits), settings.clock.clone());
        let groups = Arc::new(groups.map_err(|error| storage_error(&topics_dir.join(COMMITS), &error))?);
        let mut topics = HashMap::new();
        for entry in fs::read_dir(&topics_dir).map_err(|error| storage_error(&topics_dir, &error))? {
            let path = entry.map_err(|error| storage_error(&topics_dir, &error))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()).map(str::to_owned) else { continue };
            if name != COMMITS
                && path.is_dir()
                && let Some(topic) = Topic::open(&path, &name, &settings, &disk, &|id| groups.highest(&name, id))?
            {
                topics.insert(name, Arc::new(topic));
            }
        }
        let judge = sweep::Judge::new(settings.clock.clone(), topics.values().map(Arc::as_ref));
        let inner = Arc::new(Inner {
            settings,
            disk,
            topics: RwLock::new(topics),
            creating: Mutex::default(),
            judge: Mutex::new(judge),
            groups,
            commits,
            closed: CancellationToken::new(),
            lock: Mutex::new(Some(lock)),
        });
        let sweeper = start_sweeper(Arc::clone(&inner))?;
        Ok(Arc::new(Self { inner, sweeper: Mutex::new(Some(sweeper)) }))
    }

    /// Applies retention and compaction now, instead of at the next interval.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn sweep(&self) -> Result<(), BusError> {
        let inner = Arc::clone(&self.inner);
        blocking(move || inner.sweep()).await
    }

    fn take_sweeper(&self) -> Option<(Sender<()>, JoinHandle<()>)> {
        self.sweeper.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for EmbeddedBus {
    fn drop(&mut self) {
        stop(&self.inner, self.take_sweeper());
    }
}

fn stop(inner: &Inner, sweeper: Option<(Sender<()>, JoinHandle<()>)>) {
    inner.closed.cancel();
    if let Some((stop, thread)) = sweeper {
        drop(stop);
        let _ = thread.join();
    }
    for topic in inner.all_topics() {
        topic.stop();
    }
    inner.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
}

fn start_sweeper(inner: Arc<Inner>) -> Result<(Sender<()>, JoinHandle<()>), BusError> {
    let (stop, stopped) = channel::<()>();
    let thread = std::thread::Builder::new().name("log-sweeper".to_owned()).spawn(move || {
        while stopped.recv_timeout(inner.settings.sweep_interval) == Err(RecvTimeoutError::Timeout) {
            if let Err(error) = inner.sweep() {
                metrics::SWEEP_FAILURES.get().increment(1);
                tracing::error!(%error, "retention or compaction failed; retrying at the next sweep");
            }
        }
    });
    Ok((stop, thread.map_err(|error| no_thread("the log", &error))?))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BusError> + Send + 'static,
) -> Result<T, BusError> {
    // The task can only fail when the runtime ends.
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(BusError::Closed))
}

impl Inner {
    fn open_check(&self) -> Result<(), BusError> {
        if self.closed.is_cancelled() { Err(BusError::Closed) } else { Ok(()) }
    }

    fn topic(&self, name: &str) -> Result<Arc<Topic>, BusError> {
        self.open_check()?;
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.get(name).cloned().ok_or_else(|| BusError::UnknownTopic(name.to_owned()))
    }

    fn all_topics(&self) -> Vec<Arc<Topic>> {
        let topics = self.topics.read().unwrap_or_else(PoisonError::into_inner);
        topics.values().chain([&self.commits]).cloned().collect()
    }

    fn sweep(&self) -> Result<(), BusError> {
        // One sweep at a time.
        let mut judge = self.judge.lock().unwrap_or_else(PoisonError::into_inner);
        judge.tell();
        let mut outcome = Ok(());
        for topic in self.all_topics() {
            outcome = outcome.and(sweep::sweep(&topic, &self.settings, &mut judge, self.disk.as_ref()));
        }
        outcome
    }

    fn ensure_topic(&self, spec: &TopicSpec) -> Result<(), BusError> {
        let _one_at_a_time = self.creating.lock().unwrap_or_else(PoisonError::into_inner);
        match self.topic(&spec.name) {
            Ok(topic) => topic.alter(spec),
            Err(BusError::UnknownTopic(_)) => {
                let dir: PathBuf = self.settings.dir.join("topics").join(&spec.name);
                let committed = |id| self.groups.highest(&spec.name, id);
                let topic = Topic::create(&dir, spec, &self.settings, &self.disk, &committed)?;
                let mut topics = self.topics.write().unwrap_or_else(PoisonError::into_inner);
                topics.insert(spec.name.clone(), Arc::new(topic));
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    fn start_offsets(&self, topic: &Topic, start: &StartAt) -> Result<Vec<(u32, u64)>, BusError> {
        let partitions = topic.partitions.iter();
        match start {
            StartAt::Earliest => Ok(partitions.map(|partition| (partition.id, partition.watermarks().low)).collect()),
            StartAt::Latest => Ok(partitions.map(|partition| (partition.id, partition.watermarks().high)).collect()),
            StartAt::TimeMs(time_ms) => partitions
                .map(|partition| match partition.offset_of_time(*time_ms) {
                    Ok(offset) => Ok((partition.id, offset)),
                    Err(error) => Err(storage_error(&partition.dir, &error)),
                })
                .collect(),
            StartAt::Offsets(offsets) => {
                let count = topic.partitions.len();
                match offsets.iter().find(|(partition, _)| *partition as usize >= count) {
                    Some((partition, _)) => Err(names::unknown_partition(&topic.name, *partition, count)),
                    None => Ok(offsets.clone()),
                }
            }
        }
    }
}

#[async_trait]
impl Bus for EmbeddedBus {
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), BusError> {
        for spec in topics {
            names::check_spec(spec)?;
            let (inner, spec) = (Arc::clone(&self.inner), spec.clone());
            blocking(move || inner.ensure_topic(&spec)).await?;
        }
        Ok(())
    }

    async fn send(&self, topic: &str, record: Record) -> Result<Delivery, BusError> {
        self.inner.topic(topic)?.send(record).await
    }

    async fn subscribe(&self, group: &str, topics: &[&str]) -> Result<Subscription, BusError> {
        names::check_name("group", group)?;
        let topics: Vec<_> = topics.iter().map(|name| self.inner.topic(name)).collect::<Result<_, _>>()?;
        let membership = self.inner.groups.join(group, &topics)?;
        let (queue, events) = bytes_bounded(self.inner.settings.receive_queue_bytes, "group", group);
        let queue = Arc::new(queue);
        let ours = topics.iter().flat_map(|topic| topic.partitions.iter());
        let ours = ours.map(|partition| (Arc::clone(&partition.topic), partition.id)).collect();
        let _ = queue.send(Ok(GroupEvent::Assigned(ours)), 0).await;
        for topic in topics {
            let cursors = topic.partitions.iter().map(|partition| {
                let bounds = partition.watermarks();
                let committed = self.inner.groups.committed(group, &topic.name, partition.id);
                if let Some(next) = committed
                    && next > bounds.high
                {
                    tracing::error!(group, topic = %topic.name, partition = partition.id, committed = next,
                        high = bounds.high, "the committed offset is beyond the end of the log; reading from the oldest record");
                }
                let next = committed.filter(|next| *next <= bounds.high).unwrap_or(bounds.low);
                Cursor::new(Arc::clone(partition), next)
            });
            let cursors = cursors.collect();
            let closed = self.inner.closed.clone();
            tokio::spawn(pump(topic, cursors, Arc::clone(&queue), GroupEvent::Record, closed));
        }
        let committer = Committer(membership.commits());
        Ok(Subscription { events, committer, _leave: Box::new(membership) })
    }

    async fn read(&self, topic: &str, start: StartAt) -> Result<Reader, BusError> {
        let topic = self.inner.topic(topic)?;
        let (inner, of) = (Arc::clone(&self.inner), Arc::clone(&topic));
        let (ends, offsets) = blocking(move || {
            // Who reads to the end must not wait for a last record that is damaged.
            let end = |partition: &Arc<Partition>| {
                let high = partition.readable_end().map_err(|error| storage_error(&partition.dir, &error))?;
                Ok(Watermarks { high, ..partition.watermarks() })
            };
            let ends: Vec<_> = of.partitions.iter().map(end).collect::<Result<_, BusError>>()?;
            Ok((ends, inner.start_offsets(&of, &start)?))
        })
        .await?;
        let ends = names::ends(&ends, &offsets);
        let cursors = offsets
            .into_iter()
            .map(|(partition, next)| Cursor::new(Arc::clone(&topic.partitions[partition as usize]), next));
        let cursors = cursors.collect();
        let (queue, records) = bytes_bounded(self.inner.settings.receive_queue_bytes, "reader", &topic.name);
        tokio::spawn(pump(topic, cursors, Arc::new(queue), |record| record, self.inner.closed.clone()));
        Ok(Reader { records, ends })
    }

    async fn fetch(&self, topic: &str, partition: u32, offset: u64) -> Result<Option<Delivered>, BusError> {
        let topic = self.inner.topic(topic)?;
        let Some(partition) = topic.partitions.get(partition as usize).cloned() else {
            return Err(names::unknown_partition(&topic.name, partition, topic.partitions.len()));
        };
        if offset < partition.watermarks().low {
            return Ok(None);
        }
        blocking(move || {
            let read = Cursor::new(Arc::clone(&partition), offset).read(1);
            let read = read.map_err(|error| storage_error(&partition.dir, &error))?;
            Ok(read.into_iter().next().filter(|record| record.position.offset == offset))
        })
        .await
    }

    async fn watermarks(&self, topic: &str) -> Result<Vec<Watermarks>, BusError> {
        let topic = self.inner.topic(topic)?;
        Ok(topic.partitions.iter().map(|partition| partition.watermarks()).collect())
    }

    fn damage(&self) -> Option<String> {
        let lost: Vec<String> = self
            .inner
            .all_topics()
            .iter()
            .flat_map(|topic| {
                let name = |(id, lost): &(u32, u64)| format!("{lost} of {}/{id}", topic.name);
                topic.lost.iter().map(name).collect::<Vec<_>>()
            })
            .collect();
        (!lost.is_empty()).then(|| {
            format!(
                "when the log was opened, acknowledged records were missing, at least {}: it was cut or damaged; stages go on behind \
                 them",
                lost.join(", ")
            )
        })
    }

    async fn committed(&self, group: &str, topic: &str) -> Result<Vec<(u32, u64)>, BusError> {
        let topic = self.inner.topic(topic)?;
        let committed = |id| Some((id, self.inner.groups.committed(group, &topic.name, id)?));
        Ok(topic.partitions.iter().filter_map(|partition| committed(partition.id)).collect())
    }

    async fn flush(&self) -> Result<(), BusError> {
        self.inner.open_check()?;
        for topic in self.inner.all_topics() {
            topic.flush().await?;
        }
        Ok(())
    }

    /// Also releases the directory.
    async fn close(&self) -> Result<(), BusError> {
        let inner = Arc::clone(&self.inner);
        let sweeper = self.take_sweeper();
        blocking(move || {
            stop(&inner, sweeper);
            Ok(())
        })
        .await
    }
}
