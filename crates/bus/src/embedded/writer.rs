//! The writer thread of a partition: gathers records into group commits.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, oneshot, watch};

use super::disk::Disk;
use super::frame::{self, FrameHead};
use super::partition::Partition;
use super::segment::{HEADER, Segment};
use super::storage_error;
use crate::{BusError, Record, Written, metrics};

/// Most multiples of `sync_bytes` in one group commit when there is a backlog.
const BACKLOG: usize = 4;

/// A request to a writer.
pub(super) enum Job {
    /// Write a record.
    Append(Append),
    /// Reply when all earlier records are durable, or with the error since the last flush.
    Flush(oneshot::Sender<Result<(), BusError>>),
    /// Start a new segment unless the current one is empty; reply when done.
    Roll(std::sync::mpsc::Sender<()>),
    /// Finish.
    Stop,
}

/// A record in flight.
pub(super) struct Append {
    pub(super) record: Record,
    pub(super) reply: oneshot::Sender<Result<Written, BusError>>,
    /// Its share of the send queue, released when it is durable.
    pub(super) room: OwnedSemaphorePermit,
}

/// Thresholds that start a group commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) segment_bytes: u64,
    pub(super) sync_bytes: usize,
    pub(super) sync_after: Duration,
}

pub(super) struct Writer {
    partition: Arc<Partition>,
    disk: Arc<dyn Disk>,
    pace: Pace,
    changed: Arc<watch::Sender<u64>>,
    active: Arc<Segment>,
    file: File,
    /// Bytes past the durable end may be in the file and must be removed before the next write.
    tail_in_doubt: bool,
    failed_since_flush: Option<BusError>,
    buffer: Vec<u8>,
    heads: Vec<(FrameHead, u64)>,
}

impl Writer {
    pub(super) fn new(
        partition: Arc<Partition>,
        disk: Arc<dyn Disk>,
        pace: Pace,
        changed: Arc<watch::Sender<u64>>,
    ) -> Result<Self, BusError> {
        let active = partition.active();
        let file = OpenOptions::new().read(true).write(true).open(&active.path);
        let file = file.map_err(|error| storage_error(&active.path, &error))?;
        Ok(Self {
            partition,
            disk,
            pace,
            changed,
            active,
            file,
            tail_in_doubt: false,
            failed_since_flush: None,
            buffer: Vec::new(),
            heads: Vec::new(),
        })
    }

    /// Runs until it is stopped or all senders are gone.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut group = VecDeque::new();
        while let Ok(job) = jobs.recv() {
            let after = match job {
                Job::Append(append) => {
                    group.push_back(append);
                    self.gather(jobs, &mut group)
                }
                other => Some(other),
            };
            if !group.is_empty() {
                self.commit(&mut group);
            }
            match after {
                Some(Job::Flush(reply)) => {
                    let _ = reply.send(self.failed_since_flush.take().map_or(Ok(()), Err));
                }
                Some(Job::Roll(reply)) => {
                    if self.active.index().len > HEADER
                        && let Err(error) = self.roll()
                    {
                        tracing::warn!(topic = %self.partition.topic, partition = self.partition.id, %error,
                            "no new segment; retrying at the next sweep");
                    }
                    let _ = reply.send(());
                }
                Some(Job::Stop) => break,
                Some(Job::Append(_)) | None => {}
            }
        }
        self.active.store_index();
    }

    /// Gathers records until the group is large or old enough; returns the job that ended it early.
    fn gather(&self, jobs: &Receiver<Job>, group: &mut VecDeque<Append>) -> Option<Job> {
        let deadline = Instant::now() + self.pace.sync_after;
        let mut bytes: usize = group.iter().map(|append| append.record.size()).sum();
        while bytes < self.pace.sync_bytes {
            match jobs.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Job::Append(append)) => {
                    bytes += append.record.size();
                    group.push_back(append);
                }
                Ok(other) => return Some(other),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Some(Job::Stop),
            }
        }
        // A backlog costs no more waiting, and one sync for all of it is cheaper than several.
        while bytes < BACKLOG * self.pace.sync_bytes {
            match jobs.try_recv() {
                Ok(Job::Append(append)) => {
                    bytes += append.record.size();
                    group.push_back(append);
                }
                Ok(other) => return Some(other),
                Err(_) => break,
            }
        }
        None
    }

    fn commit(&mut self, group: &mut VecDeque<Append>) {
        let began = Instant::now();
        let topic = self.partition.topic.to_string();
        let (mut bytes, mut records) = (0, 0);
        while !group.is_empty() {
            let take = match self.prepare(group) {
                Ok(take) => take,
                Err(error) => return self.fail(group.drain(..), &error),
            };
            match self.write() {
                Ok(()) => {
                    bytes += self.buffer.len() as u64;
                    records += take as u64;
                    for (append, (head, _)) in group.drain(..take).zip(&self.heads) {
                        let written = Written {
                            topic: Arc::clone(&self.partition.topic),
                            partition: self.partition.id,
                            offset: Some(head.offset),
                        };
                        let _ = append.reply.send(Ok(written));
                        drop(append.room);
                    }
                }
                // All of it: a later record must not become durable before an earlier one of its key.
                Err(error) => return self.fail(group.drain(..), &error),
            }
        }
        metrics::APPENDED_BYTES.with([topic.clone()]).increment(bytes);
        metrics::APPENDED_RECORDS.with([topic.clone()]).increment(records);
        metrics::COMMIT_SECONDS.with([topic]).record(began.elapsed().as_secs_f64());
    }

    /// Frames as many records as fit in the active segment, beginning a new one when none does; returns how many.
    fn prepare(&mut self, group: &VecDeque<Append>) -> io::Result<usize> {
        let first = group.front().map_or(0, |append| frame::frame_len(&append.record) as u64);
        let len = self.active.index().len;
        if len > HEADER && len + first > self.pace.segment_bytes {
            self.roll()?;
        }
        let (mut at, mut offset) = {
            let index = self.active.index();
            (index.len, index.next_offset)
        };
        self.buffer.clear();
        self.buffer.shrink_to(4 * self.pace.sync_bytes.max(1 << 20));
        self.heads.clear();
        for append in group {
            let frame_bytes = frame::frame_len(&append.record);
            if !self.heads.is_empty() && at + frame_bytes as u64 > self.pace.segment_bytes {
                break;
            }
            frame::encode(&append.record, offset, &mut self.buffer);
            let head = FrameHead { offset, timestamp_ms: append.record.timestamp_ms, len: frame_bytes };
            self.heads.push((head, at));
            at += frame_bytes as u64;
            offset += 1;
        }
        Ok(self.heads.len())
    }

    fn write(&mut self) -> io::Result<()> {
        let end = self.active.index().len;
        if self.tail_in_doubt {
            self.file.set_len(end)?;
            self.tail_in_doubt = false;
        }
        let written = self.disk.write(&self.file, &self.buffer, end).and_then(|()| self.disk.sync(&self.file));
        if let Err(error) = written {
            // After a failed sync the kernel may report lost pages as clean: discard them, they are written again when resent.
            self.tail_in_doubt = self.file.set_len(end).is_err();
            return Err(error);
        }
        self.active.publish(&self.heads);
        self.changed.send_modify(|changes| *changes = changes.wrapping_add(1));
        Ok(())
    }

    fn roll(&mut self) -> io::Result<()> {
        if self.tail_in_doubt {
            self.file.set_len(self.active.index().len)?;
            self.tail_in_doubt = false;
        }
        let base = self.active.index().next_offset;
        let created = Segment::create(&self.partition.dir, base, self.disk.as_ref());
        let (segment, file) = created.inspect_err(|_| {
            // A partial segment must not be found at the next start.
            let _ = std::fs::remove_file(Segment::path(&self.partition.dir, base));
        })?;
        self.active.store_index();
        self.active = Arc::new(segment);
        self.file = file;
        self.partition.append_segment(Arc::clone(&self.active));
        Ok(())
    }

    fn fail(&mut self, appends: impl Iterator<Item = Append>, error: &io::Error) {
        let topic = self.partition.topic.to_string();
        let cause = storage_error(&self.partition.dir, error);
        let mut records = 0;
        for append in appends {
            records += 1;
            let _ = append.reply.send(Err(cause.clone()));
        }
        metrics::FAILED_RECORDS.with([topic]).increment(records);
        tracing::error!(topic = %self.partition.topic, partition = self.partition.id, records, error = %cause,
            "records not written");
        self.failed_since_flush = Some(cause);
    }
}
