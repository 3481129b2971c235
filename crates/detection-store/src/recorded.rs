//! What is stored of one camera, in the order of the bus.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use vedette_core::{CameraId, CameraRecord, Timestamp};

use crate::error::{Damage, FileError, at};
use crate::files;
use crate::hour::Hour;
use crate::hour_file::{Content, Segment};
use crate::layout;
use crate::segment::{self, HEAD};
use crate::tracks::PartTracks;

/// Records that are stored and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// The file.
    pub path: PathBuf,
    /// Where in it.
    pub offset: u64,
    /// Number of bytes.
    pub length: u64,
    /// When they were captured, if that is known.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Why they cannot be read.
    pub damage: Damage,
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, offset, length, span, damage } = self;
        write!(f, "{}: {length} bytes at {offset} are left out: {damage}", path.display())?;
        match span {
            Some((first, last)) => write!(f, "; the detections from {first} to {last} are missing"),
            None => Ok(()),
        }
    }
}

/// The records of one camera in parts, in the order of the bus.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recorded {
    /// The parts.
    pub parts: Vec<Part>,
    /// What cannot be read, as far as it is known without reading the records.
    pub gaps: Vec<Gap>,
}

/// Consecutive records of one hour, in one file. An hour is one part, unless the camera's clock jumped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    camera: CameraId,
    hour: Hour,
    path: PathBuf,
    segments: Vec<Segment>,
}

impl Recorded {
    /// Finds the segments in a camera's folder.
    pub(crate) fn of(folder: &Path, camera: &CameraId) -> Result<Self, FileError> {
        let mut recorded = Self::default();
        let mut segments: Vec<(Segment, Hour, PathBuf)> = Vec::new();
        for (hour, path) in layout::hours(folder)? {
            let file = match File::open(&path) {
                // It has expired meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                file => file.map_err(at("opening", &path))?,
            };
            let content = Content::of(&file, &path)?;
            // A torn end is a segment that is just being written.
            recorded.gaps.extend(content.holes.iter().filter(|hole| !hole.is_torn).map(|hole| Gap {
                path: path.clone(),
                offset: hole.offset,
                length: hole.length,
                span: None,
                damage: hole.damage,
            }));
            segments.extend(content.segments.into_iter().map(|segment| (segment, hour, path.clone())));
        }
        segments.sort_by_key(|(segment, ..)| segment.head.number);
        for (segment, hour, path) in segments {
            match recorded.parts.last_mut() {
                Some(part) if part.hour == hour => part.segments.push(segment),
                _ => recorded.parts.push(Part { camera: camera.clone(), hour, path, segments: vec![segment] }),
            }
        }
        Ok(recorded)
    }
}

impl Part {
    /// The hour.
    #[must_use]
    pub const fn hour(&self) -> Hour {
        self.hour
    }

    /// The earliest and the latest capture time.
    #[must_use]
    pub fn span(&self) -> (Timestamp, Timestamp) {
        let spans = || self.segments.iter().map(|segment| segment.head.span);
        (spans().map(|span| span.0).min().unwrap_or_default(), spans().map(|span| span.1).max().unwrap_or_default())
    }

    /// The number of its records.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.head.records)).sum()
    }

    /// Identity of its records.
    #[must_use]
    pub fn checksum(&self) -> [u8; 32] {
        let mut hash = blake3::Hasher::new();
        for segment in &self.segments {
            hash.update(&segment.head.checksum);
        }
        *hash.finalize().as_bytes()
    }

    /// Reads its records. Segments that are damaged are left out, and returned.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self, out: &mut Vec<CameraRecord>) -> Result<Vec<Gap>, FileError> {
        out.clear();
        let file = File::open(&self.path).map_err(at("opening", &self.path))?;
        let mut gaps = Vec::new();
        let mut body = Vec::new();
        for Segment { offset, head } in &self.segments {
            body.resize(head.body as usize, 0);
            let read = match file.read_exact_at(&mut body, offset + HEAD as u64) {
                // It was cut meanwhile.
                Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(Damage::Short),
                Err(error) => return Err(at("reading", &self.path)(error)),
                Ok(()) => segment::decode(head, &body, &self.camera, out),
            };
            gaps.extend(read.err().map(|damage| Gap {
                path: self.path.clone(),
                offset: *offset,
                length: HEAD as u64 + u64::from(head.body),
                span: Some(head.span),
                damage,
            }));
        }
        Ok(gaps)
    }

    /// The tracks that are stored for it, if they can be read.
    #[must_use]
    pub fn tracks(&self) -> Option<PartTracks> {
        PartTracks::decode(&std::fs::read(self.tracks_path()?).ok()?).ok()
    }

    /// Stores tracks for it, instead of others.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn keep_tracks(&self, tracks: &PartTracks) -> Result<(), FileError> {
        let Some(path) = self.tracks_path() else { return Ok(()) };
        files::replace(&path, &tracks.encode())
    }

    fn tracks_path(&self) -> Option<PathBuf> {
        let first = self.segments.first()?;
        Some(layout::tracks(self.path.parent()?, self.hour, first.head.number))
    }
}
