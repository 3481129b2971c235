use vedette_core::{CameraRecord, ModelRef, RecordBody, Timestamp};
use vedette_detection_store::Gap;

/// Most changes of the model that are named.
const MOST_CHANGES: usize = 16;

/// Another model than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelChange {
    /// The capture time of its first frame.
    pub at: Timestamp,
    /// The model before.
    pub before: ModelRef,
    /// The model from then on.
    pub after: ModelRef,
}

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
    /// When another model followed, the first ones.
    pub model_changes: Vec<ModelChange>,
    /// The model of the last frame.
    last_model: Option<ModelRef>,
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
                    self.add_model(&record.model, at);
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

    fn add_model(&mut self, model: &ModelRef, at: Timestamp) {
        if self.last_model.as_ref() == Some(model) {
            return;
        }
        if !self.models.contains(model) {
            self.models.push(model.clone());
        }
        if let Some(before) = self.last_model.replace(model.clone())
            && self.model_changes.len() < MOST_CHANGES
        {
            self.model_changes.push(ModelChange { at, before, after: model.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use vedette_core::{CameraId, FrameAt, FrameSize, ProcessedFrame, SignalLossReason};

    use super::*;

    fn record(second: i64, model: &str, body: RecordBody) -> CameraRecord {
        CameraRecord {
            camera: CameraId::new("gate").unwrap(),
            at: FrameAt { epoch: 1, sequence: second as u64, captured: Timestamp::from_micros(second * 1_000_000) },
            model: ModelRef { name: model.into(), version: "1".into() },
            body,
        }
    }

    #[test]
    fn a_change_of_the_model_is_told_with_its_time() {
        let frame = |second, model| {
            record(second, model, RecordBody::Processed(ProcessedFrame::empty(FrameSize { width: 64, height: 48 })))
        };
        let mut coverage = Coverage::default();
        coverage.add(&[frame(1, "a"), frame(2, "a")], &[]);
        // No model looked at it.
        coverage.add(&[record(3, "c", RecordBody::SignalLoss(SignalLossReason::NoData))], &[]);
        assert_eq!(coverage.model_changes, []);
        coverage.add(&[frame(4, "b"), frame(5, "a")], &[]);
        let told: Vec<_> = coverage
            .model_changes
            .iter()
            .map(|it| (it.at.as_micros() / 1_000_000, it.before.name.to_string(), it.after.name.to_string()))
            .collect();
        assert_eq!(told, [(4, "a".to_owned(), "b".to_owned()), (5, "b".to_owned(), "a".to_owned())]);
        assert_eq!(coverage.models.len(), 2);
        for second in 6..60 {
            coverage.add(&[frame(second, if second % 2 == 0 { "b" } else { "a" })], &[]);
        }
        assert_eq!(coverage.model_changes.len(), MOST_CHANGES);
    }
}
