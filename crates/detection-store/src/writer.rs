//! Appends the records of one camera, in the order of the bus.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use vedette_core::{CameraId, CameraRecord, Span, Timestamp};

use crate::error::{FileError, at};
use crate::files;
use crate::hour::Hour;
use crate::hour_file::Content;
use crate::layout;
use crate::segment::{self, BusPosition};

/// A record of a later hour does not begin a new file for those that are late.
const LATE: Span = Span::from_secs(60);

/// See the module. What was appended is durable when the call returns.
#[derive(Debug)]
pub struct CameraWriter {
    camera: CameraId,
    folder: PathBuf,
    /// The number of the next segment.
    next: u64,
    last: Option<Last>,
    /// The file that was written last, and its length.
    open: Option<(Hour, u64)>,
}

/// The last record that is stored.
#[derive(Debug, Clone, Copy)]
struct Last {
    position: BusPosition,
    /// The latest capture time of its segment.
    captured: Timestamp,
    hour: Hour,
}

impl CameraWriter {
    /// Goes on behind what is stored.
    pub(crate) fn open(folder: PathBuf, camera: CameraId) -> Result<Self, FileError> {
        files::create_folder(&folder)?;
        let (mut next, mut last) = (0, None);
        for (hour, path) in layout::hours(&folder)? {
            let file = File::open(&path).map_err(at("opening", &path))?;
            for segment in Content::of(&file, &path)?.segments {
                let head = segment.head;
                if head.number >= next {
                    next = head.number + 1;
                    last = Some(Last { position: head.position, captured: head.span.1, hour });
                }
            }
        }
        Ok(Self { camera, folder, next, last, open: None })
    }

    /// Whether a record was stored before: the bus delivers it again after a crash. An offset alone is not enough, since those of a bus
    /// that was made anew begin at 0.
    #[must_use]
    pub fn has(&self, record: &CameraRecord, position: BusPosition) -> bool {
        self.last.is_some_and(|last| {
            last.position.partition == position.partition
                && last.position.offset >= position.offset
                && record.at.captured <= last.captured
        })
    }

    /// Appends records; the last of them is at `position`. Returns the hours that are over by that, each with the number of its first
    /// segment.
    ///
    /// # Errors
    /// When a file cannot be written. What was written by then is recognised later.
    pub fn append(&mut self, records: &[CameraRecord], positions: &[BusPosition]) -> Result<(), FileError> {
        let mut begin = 0;
        while begin < records.len() {
            let hour = self.hour_of(&records[begin]);
            let same = |record: &&CameraRecord| hour_of(record.at.captured, Some(hour)) == hour;
            let count = records[begin..].iter().take_while(same).count().max(1);
            let end = begin + count;
            let Some(position) = positions.get(end - 1) else { return Ok(()) };
            self.append_segment(hour, &records[begin..end], *position)?;
            begin = end;
        }
        Ok(())
    }

    /// The hour that was written last.
    #[must_use]
    pub fn hour(&self) -> Option<Hour> {
        self.last.map(|last| last.hour)
    }

    fn hour_of(&self, record: &CameraRecord) -> Hour {
        hour_of(record.at.captured, self.hour())
    }

    fn append_segment(&mut self, hour: Hour, records: &[CameraRecord], position: BusPosition) -> Result<(), FileError> {
        let path = layout::detections(&self.folder, hour);
        let is_new = !path.exists();
        let mut file = files::open_to_append(&path)?;
        let length = file.metadata().map_err(at("reading", &path))?.len();
        let known = self.open.take();
        if known != Some((hour, length)) {
            cut_torn_end(&file, &path, length)?;
        }
        let bytes = segment::encode(records, &self.camera, self.next, position);
        file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(at("writing", &path))?;
        if is_new {
            files::sync_folder(&self.folder)?;
        }
        self.next += 1;
        let times = records.iter().map(|record| record.at.captured);
        self.last = Some(Last { position, captured: times.max().unwrap_or_default(), hour });
        let length = file.metadata().map_err(at("reading", &path))?.len();
        self.open = Some((hour, length));
        Ok(())
    }
}

/// The hour in whose file a record goes: that of its capture, unless it is a little late for it.
fn hour_of(captured: Timestamp, current: Option<Hour>) -> Hour {
    let own = Hour::of(captured);
    match current {
        Some(current) if own < current && current.start().since(captured) <= LATE => current,
        _ => own,
    }
}

/// A segment that was not written whole is written again.
fn cut_torn_end(file: &File, path: &Path, length: u64) -> Result<(), FileError> {
    if length == 0 {
        return Ok(());
    }
    let end = Content::of(file, path)?.end();
    if end < length {
        file.set_len(end).and_then(|()| file.sync_data()).map_err(at("cutting", path))?;
    }
    Ok(())
}
