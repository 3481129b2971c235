//! The segments of an hour's file: found by their heads, read by their place.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::error::{Damage, FileError, at};
use crate::segment::{HEAD, Head, MAGIC};

/// A segment in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The offset of its head.
    pub(crate) offset: u64,
    pub(crate) head: Head,
}

/// Bytes of a file that are no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Hole {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) damage: Damage,
    /// Whether they are a segment that was not written whole, at the end of the file.
    pub(crate) is_torn: bool,
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Content {
    pub(crate) segments: Vec<Segment>,
    pub(crate) holes: Vec<Hole>,
}

impl Content {
    /// Reads the heads of a file.
    pub(crate) fn of(file: &File, path: &Path) -> Result<Self, FileError> {
        let length = file.metadata().map_err(at("reading", path))?.len();
        let mut content = Self::default();
        let mut offset = 0;
        while offset < length {
            let damage = match head_at(file, offset, length).map_err(at("reading", path))? {
                Ok(head) => {
                    content.segments.push(Segment { offset, head });
                    offset += (HEAD as u64) + u64::from(head.body);
                    continue;
                }
                Err(damage) => damage,
            };
            let next = next_head(file, offset + 1, length).map_err(at("reading", path))?;
            let end = next.unwrap_or(length);
            let is_torn = next.is_none() && damage == Damage::Short;
            content.holes.push(Hole { offset, length: end - offset, damage, is_torn });
            offset = end;
        }
        Ok(content)
    }

    /// Where the next segment is to be written: behind everything but a torn end.
    pub(crate) fn end(&self) -> u64 {
        let of_segments = self.segments.last().map(|last| last.offset + HEAD as u64 + u64::from(last.head.body));
        let of_holes = self.holes.iter().filter(|hole| !hole.is_torn).map(|hole| hole.offset + hole.length).max();
        of_segments.max(of_holes).unwrap_or_default()
    }
}

fn head_at(file: &File, offset: u64, length: u64) -> std::io::Result<Result<Head, Damage>> {
    if length - offset < HEAD as u64 {
        return Ok(Err(Damage::Short));
    }
    let mut bytes = [0; HEAD];
    file.read_exact_at(&mut bytes, offset)?;
    let head = Head::decode(&bytes);
    Ok(head.and_then(|head| {
        let is_whole = length - offset - HEAD as u64 >= u64::from(head.body);
        if is_whole { Ok(head) } else { Err(Damage::Short) }
    }))
}

/// The offset of the next whole segment.
fn next_head(file: &File, from: u64, length: u64) -> std::io::Result<Option<u64>> {
    const STEP: usize = 1 << 16;
    let mut bytes = vec![0; STEP + MAGIC.len()];
    let mut offset = from;
    while offset < length {
        let wanted = usize::try_from(length - offset).unwrap_or(usize::MAX).min(bytes.len());
        file.read_exact_at(&mut bytes[..wanted], offset)?;
        for (index, window) in (0_u64..).zip(bytes[..wanted].windows(MAGIC.len())) {
            if window == MAGIC && head_at(file, offset + index, length)?.is_ok() {
                return Ok(Some(offset + index));
            }
        }
        offset += STEP as u64;
    }
    Ok(None)
}
