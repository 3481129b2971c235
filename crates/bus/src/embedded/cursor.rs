use std::fs::File;
use std::io;
use std::sync::Arc;

use super::frame;
use super::frames::{Frames, Step};
use super::partition::{Partition, RELOCATIONS};
use super::segment::{HEADER, Segment};
use crate::Delivered;
use crate::metrics;

/// A position in a partition from which records are read in order.
pub(super) struct Cursor {
    partition: Arc<Partition>,
    next: u64,
    place: Option<Place>,
}

struct Place {
    segment: Arc<Segment>,
    file: Arc<File>,
    at: u64,
}

impl Cursor {
    /// Positioned before the first record at `next` or later.
    pub(super) fn new(partition: Arc<Partition>, next: u64) -> Self {
        Self { partition, next, place: None }
    }

    pub(super) fn partition(&self) -> &Arc<Partition> {
        &self.partition
    }

    /// Whether durable records lie ahead, according to the in-memory index.
    pub(super) fn has_more(&self) -> bool {
        self.next < self.partition.watermarks().high
    }

    /// The next durable records: at least one if there is one, at most about `max_bytes` beyond it.
    pub(super) fn read(&mut self, max_bytes: usize) -> io::Result<Vec<Delivered>> {
        let mut records = Vec::new();
        let mut bytes = 0;
        while bytes < max_bytes {
            let mut place = match self.place.take() {
                Some(place) => place,
                None => self.locate()?,
            };
            let end = place.segment.index().len;
            if place.at >= end {
                let Some(following) = self.following(&place.segment) else {
                    self.place = Some(place);
                    break;
                };
                // The segment may have grown before the next one was started.
                if place.at < place.segment.index().len {
                    self.place = Some(place);
                    continue;
                }
                // Between the two there may be a gap, which holds no records.
                self.next = self.next.max(following.base);
                self.place = self.open(following)?;
                continue;
            }
            let file = Arc::clone(&place.file);
            let mut frames = Frames::new(&file, place.at, end, place.segment.base);
            while bytes < max_bytes {
                match frames.step()? {
                    Step::End => break,
                    Step::Damage { from, to } => self.report_damage(&place.segment, to - from),
                    Step::Frame { head, .. } if head.offset < self.next => {}
                    Step::Frame { head, bytes: whole, .. } => {
                        self.next = head.offset + 1;
                        bytes += head.len;
                        match frame::decode(&whole, &self.partition.topic, self.partition.id) {
                            Some(record) => records.push(record),
                            None => self.report_damage(&place.segment, head.len as u64),
                        }
                    }
                }
            }
            place.at = frames.at();
            self.place = Some(place);
        }
        Ok(records)
    }

    /// The segment that continues after `segment` is read: the following one, or the one that `segment` was compacted into.
    fn following(&self, segment: &Arc<Segment>) -> Option<Arc<Segment>> {
        let here = self.partition.segment_of(self.next);
        if Arc::ptr_eq(&here, segment) { self.partition.after(segment) } else { Some(here) }
    }

    fn open(&self, segment: Arc<Segment>) -> io::Result<Option<Place>> {
        match segment.file() {
            Ok(file) => {
                let at = segment.index().place_of(self.next, HEADER);
                Ok(Some(Place { segment, file, at }))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn locate(&mut self) -> io::Result<Place> {
        let low = self.partition.watermarks().low;
        if self.next < low {
            let topic = self.partition.topic.to_string();
            metrics::EXPIRED_BEFORE_READ.with([topic]).increment(low - self.next);
            tracing::warn!(topic = %self.partition.topic, partition = self.partition.id, from = self.next, to = low,
                "retention deleted records before they were read");
            self.next = low;
        }
        for _ in 0..RELOCATIONS {
            if let Some(place) = self.open(self.partition.segment_of(self.next))? {
                return Ok(place);
            }
        }
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            "a segment file is missing; was the directory changed from outside?",
        ))
    }

    fn report_damage(&self, segment: &Segment, bytes: u64) {
        let topic = self.partition.topic.to_string();
        metrics::DAMAGED_BYTES.with([topic]).increment(bytes);
        tracing::error!(topic = %self.partition.topic, partition = self.partition.id, path = %segment.path.display(),
            bytes, "corrupt records are skipped; those around them are kept");
    }
}
