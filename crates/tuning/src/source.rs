use std::borrow::Cow;

use vedette_core::{CameraRecord, Timestamp};
use vedette_detection_store::{Gap, Part, PartTracks};

use crate::error::RecordingError;

/// The records of one camera, in the order in which they were published.
pub enum Source {
    /// In memory: one part.
    Records {
        /// The records.
        records: Vec<CameraRecord>,
        /// As that of the store. Those outside give the tracks their numbers.
        within: Option<(Timestamp, Timestamp)>,
    },
    /// In the detection store. Those before `from` give the tracks their numbers; their tracks are made if they are not stored.
    Stored {
        /// The parts, from the beginning of the store on.
        parts: Vec<Part>,
        /// The first of them that is analysed.
        from: usize,
        /// The capture times, both included, between which records are analysed; all when absent.
        within: Option<(Timestamp, Timestamp)>,
    },
}

impl From<Vec<CameraRecord>> for Source {
    fn from(records: Vec<CameraRecord>) -> Self {
        Self::Records { records, within: None }
    }
}

impl Source {
    /// The number of parts.
    pub(crate) fn parts(&self) -> usize {
        match self {
            Self::Records { .. } => 1,
            Self::Stored { parts, .. } => parts.len(),
        }
    }

    /// The first part that is analysed.
    pub(crate) fn first(&self) -> usize {
        match self {
            Self::Records { .. } => 0,
            Self::Stored { parts, from, .. } => (*from).min(parts.len()),
        }
    }

    /// The capture times between which records are analysed.
    pub(crate) fn within(&self) -> Option<(Timestamp, Timestamp)> {
        match self {
            Self::Records { within, .. } | Self::Stored { within, .. } => *within,
        }
    }

    /// Leaves out what was captured outside of a time.
    pub(crate) fn narrow(&mut self, (from, until): (Timestamp, Timestamp)) {
        match self {
            Self::Records { within, .. } | Self::Stored { within, .. } => {
                let (first, last) = within.unwrap_or((from, until));
                *within = Some((first.max(from), last.min(until)));
            }
        }
    }

    /// The records of a part. Damaged ones are left out, and added to `gaps`.
    pub(crate) fn records(&self, part: usize, gaps: &mut Vec<Gap>) -> Result<Cow<'_, [CameraRecord]>, RecordingError> {
        let mut room = Vec::new();
        match self {
            Self::Records { records, .. } => Ok(Cow::Borrowed(records)),
            Self::Stored { .. } => {
                self.read(part, &mut room, gaps)?;
                Ok(Cow::Owned(room))
            }
        }
    }

    /// The same; those of the store are read into `room`.
    pub(crate) fn read<'a>(
        &'a self,
        part: usize,
        room: &'a mut Vec<CameraRecord>,
        gaps: &mut Vec<Gap>,
    ) -> Result<&'a [CameraRecord], RecordingError> {
        match self {
            Self::Records { records, .. } => Ok(records),
            Self::Stored { parts, .. } => {
                let Some(part) = parts.get(part) else { return Ok(&[]) };
                gaps.extend(part.read(room)?);
                Ok(room)
            }
        }
    }

    /// Identity of a part's records; none of those in memory, whose tracks are not stored.
    pub(crate) fn checksum(&self, part: usize) -> Option<[u8; 32]> {
        match self {
            Self::Records { .. } => None,
            Self::Stored { parts, .. } => parts.get(part).map(Part::checksum),
        }
    }

    /// The tracks that are stored for a part.
    pub(crate) fn tracks(&self, part: usize) -> Option<PartTracks> {
        match self {
            Self::Records { .. } => None,
            Self::Stored { parts, .. } => parts.get(part)?.tracks(),
        }
    }

    /// Stores tracks for a part. They can be made again, so that it does not matter if that fails.
    pub(crate) fn keep_tracks(&self, part: usize, tracks: &PartTracks) {
        if let Self::Stored { parts, .. } = self
            && let Some(part) = parts.get(part)
        {
            let _ = part.keep_tracks(tracks);
        }
    }

    /// The earliest and the latest capture time of what is analysed.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let spans: Vec<(Timestamp, Timestamp)> = match self {
            Self::Records { records, .. } => {
                records.iter().map(|record| (record.at.captured, record.at.captured)).collect()
            }
            Self::Stored { parts, .. } => parts[self.first()..].iter().map(Part::span).collect(),
        };
        let (first, last) = (spans.iter().map(|span| span.0).min()?, spans.iter().map(|span| span.1).max()?);
        let (from, until) = self.within().unwrap_or((first, last));
        Some((first.max(from), last.min(until))).filter(|(first, last)| first <= last)
    }

    /// Whether there is nothing to analyse.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Records { records, .. } => records.is_empty(),
            Self::Stored { .. } => self.span().is_none(),
        }
    }
}
