use vedette_core::{CameraRecord, ModelRef, RecordBody, Timestamp};
use vedette_detection_store::Gap;

/// What was recorded of a camera in the time of a recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Coverage {
    /// The capture times of the first and last record.
    pub span: Option<(Timestamp, Timestamp)>,
    /// Frames that a model processed.
    pub frames: u64,
    /// Frames that were shed or lost: nothing was detected in them.
    pub not_processed: u64,
    /// Times at which the camera had no signal.
    pub signal_losses: u64,
    /// The models, in the order of their first frames.
    pub models: Vec<ModelRef>,
    /// Records that cannot be read.
    pub gaps: Vec<Gap>,
}

impl Coverage {
    pub(crate) fn add(&mut self, records: &[CameraRecord], gaps: &[Gap]) {
        self.gaps.extend_from_slice(gaps);
        for record in records {
            let at = record.at.captured;
            self.span = Some(self.span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
            let account = match &record.body {
                RecordBody::Processed(frame) => {
                    self.frames += 1;
                    self.add_model(&record.model);
                    frame.account.as_ref()
                }
                RecordBody::AccountOnly(only) => Some(&only.account),
                RecordBody::SignalLoss(_) => {
                    self.signal_losses += 1;
                    None
                }
            };
            let shed = account.iter().flat_map(|account| &account.shed);
            self.not_processed += shed.map(|range| range.frames().len()).sum::<u64>();
        }
    }

    fn add_model(&mut self, model: &ModelRef) {
        if !self.models.contains(model) {
            self.models.push(model.clone());
        }
    }
}
