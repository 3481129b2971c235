//! What became of every camera's frames, as the saved states tell it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;
use vedette_bus::{BusError, SharedBus, StartAt};
use vedette_console::{FrameReport, FrameSource};
use vedette_core::FrameCounts;
use vedette_wire::decode_state;

use crate::{reading, topics};

/// The counts of each camera's newest state. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct FrameBook(Arc<Mutex<BTreeMap<String, Entry>>>);

#[derive(Debug)]
struct Entry {
    next_offset: u64,
    counts: FrameCounts,
}

impl FrameBook {
    /// Reads `states` and follows it until `stop`.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub async fn follow(bus: &SharedBus, stop: CancellationToken) -> Result<Self, BusError> {
        let book = Self::default();
        let mut reader = bus.read(topics::STATES, StartAt::Earliest).await?;
        reading::to_end(bus, topics::STATES, &mut reader, |record| book.take(record.record.value)).await?;
        let known = book.clone();
        reading::follow(reader, stop, "the count of frames", move |record| known.take(record.record.value));
        Ok(book)
    }

    /// Of several states of a camera the one that has seen most counts, as it does for who takes the camera over.
    fn take(&self, value: Option<bytes::Bytes>) {
        let Some(Ok(state)) = value.map(decode_state) else { return };
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let id = state.camera.as_str();
        match entries.get_mut(id) {
            Some(known) if known.next_offset > state.next_offset => {}
            Some(known) => *known = Entry { next_offset: state.next_offset, counts: state.counts },
            None => {
                entries.insert(id.to_owned(), Entry { next_offset: state.next_offset, counts: state.counts });
            }
        }
    }
}

impl FrameSource for FrameBook {
    fn frames(&self, camera: Option<&str>) -> Option<FrameReport> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let report = |counts: &FrameCounts| FrameReport {
            cameras: 1,
            frames: counts.frames(),
            analysed: counts.analysed,
            shed: counts.shed.iter().map(|(reason, frames)| (reason.as_str().to_owned(), *frames)).collect(),
        };
        match camera {
            Some(camera) => entries.get(camera).map(|entry| report(&entry.counts)),
            None => Some(entries.values().fold(FrameReport::default(), |sum, entry| sum.and(&report(&entry.counts)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use vedette_core::{CameraId, ShedReason};
    use vedette_wire::{AnalysisState, encode_state};

    use super::*;

    fn state(camera: &str, next_offset: u64, analysed: u64, shed: u64) -> Option<bytes::Bytes> {
        let counts = FrameCounts { analysed, shed: [(ShedReason::Overload, shed)].into() };
        let camera = CameraId::new(camera).unwrap();
        let state = AnalysisState { camera, partition: 0, next_offset, format: 1, state: Default::default(), counts };
        Some(encode_state(&state))
    }

    #[test]
    fn the_state_that_has_seen_most_counts_once() {
        let book = FrameBook::default();
        for record in [state("a", 10, 8, 2), state("b", 5, 5, 0), state("a", 20, 17, 3), state("a", 15, 12, 3), None] {
            book.take(record);
        }
        let all = book.frames(None).unwrap();
        assert_eq!((all.cameras, all.frames, all.analysed, all.shed["overload"]), (2, 25, 22, 3));
        assert_eq!(book.frames(Some("a")).unwrap().frames, 20);
        assert_eq!(book.frames(Some("c")), None);
    }
}
