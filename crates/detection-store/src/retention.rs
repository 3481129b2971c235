//! Deletes the oldest hours. A file's age is the time since it was last written: detections of an old recording that is
//! imported today are kept as long as those of today.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use vedette_core::Timestamp;

use crate::error::{FileError, at};
use crate::hour::Hour;
use crate::layout;

/// A file takes this much at least.
const LEAST_BYTES: u64 = 4_096;

/// What may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Hours that were written before this time are deleted.
    pub written_from: Timestamp,
    /// Most bytes of all files together.
    pub bytes: u64,
}

/// What was deleted, and what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Hours of a camera that had expired.
    pub expired: u64,
    /// Hours of a camera for which there was no room.
    pub no_room: u64,
    /// Bytes that are left.
    pub bytes: u64,
    /// When the newest file was written.
    pub newest: Option<Timestamp>,
}

/// An hour of a camera: its detections and tracks.
#[derive(Default)]
struct Stored {
    files: Vec<PathBuf>,
    bytes: u64,
    /// When it was last written; tracks are made later.
    written: Timestamp,
}

pub(crate) fn sweep(directory: &Path, limits: &Limits) -> Result<Swept, FileError> {
    let mut hours = Vec::new();
    for camera in layout::cameras(directory)? {
        hours.extend(of_camera(&layout::camera(directory, &camera))?);
    }
    hours.sort_by_key(|stored| stored.written);
    let mut swept = Swept {
        bytes: hours.iter().map(|stored| stored.bytes).sum(),
        newest: hours.last().map(|stored| stored.written),
        ..Swept::default()
    };
    for stored in &hours {
        let has_expired = stored.written < limits.written_from;
        if !has_expired && swept.bytes <= limits.bytes {
            break;
        }
        for path in &stored.files {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(at("deleting", path)(error)),
                _ => {}
            }
        }
        swept.bytes -= stored.bytes;
        *(if has_expired { &mut swept.expired } else { &mut swept.no_room }) += 1;
    }
    Ok(swept)
}

fn of_camera(folder: &Path) -> Result<impl Iterator<Item = Stored>, FileError> {
    let mut hours: BTreeMap<Hour, Stored> = BTreeMap::new();
    for name in layout::names(folder)? {
        let Some(hour) = layout::hour_of(&name) else { continue };
        let path = folder.join(&name);
        let metadata = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            metadata => metadata.map_err(at("reading", &path))?,
        };
        let stored = hours.entry(hour).or_default();
        stored.bytes += metadata.len().max(LEAST_BYTES);
        let written = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let written = written.and_then(|time| i64::try_from(time.as_micros()).ok()).map(Timestamp::from_micros);
        if !name.ends_with(layout::TRACKS) {
            stored.written = written.unwrap_or_default();
        }
        stored.files.push(path);
    }
    Ok(hours.into_values())
}
