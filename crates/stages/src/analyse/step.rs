//! One record through one camera's analysis; a panic marks the record as bad and does not end the stage.

use std::panic::{AssertUnwindSafe, catch_unwind};

use vedette_analysis::{CameraAnalysis, Outcome, Serving, Setups};
use vedette_core::{AccountOnly, CameraRecord, FrameAccount, RecordBody, ShedRange, ShedReason};
use vedette_topics::dead_letters::panic_message;

use super::Analyse;

impl Analyse {
    /// One record through a camera's analysis.
    pub(super) fn step(&self, analysis: &mut CameraAnalysis, setups: &Setups, frame: &CameraRecord) -> Outcome {
        analysis.take(frame, Serving { setups, base: &|at| self.addresses.at(at) })
    }
}

/// Runs `step`; an error is its panic message. Any state it modified must then be discarded.
pub(super) fn run<T>(step: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|panic| format!("the analysis panicked: {}", panic_message(&*panic)))
}

/// The placeholder of a dead-lettered record: it accounts for the same frames, its own among those not processed.
pub(super) fn dead_lettered(record: CameraRecord) -> CameraRecord {
    let sequence = record.at.sequence;
    let (account, frame) = match record.body {
        RecordBody::AccountOnly(_) => return record,
        RecordBody::Processed(frame) => (frame.account, Some(frame.frame)),
        RecordBody::SignalLoss(_) => (None, None),
    };
    let unnumbered = || FrameAccount { previous: sequence.checked_sub(1), shed: Vec::new() };
    let mut account = account.unwrap_or_else(unnumbered);
    account.shed.push(ShedRange { first: sequence, count: 1, reason: ShedReason::DeadLettered });
    CameraRecord { body: RecordBody::AccountOnly(AccountOnly { account, frame }), ..record }
}

#[cfg(test)]
mod tests {
    use vedette_core::{CameraId, FrameAt, FrameSize, ModelRef, ProcessedFrame, SignalLossReason, Timestamp};

    use super::*;

    fn record(sequence: u64, body: RecordBody) -> CameraRecord {
        CameraRecord {
            camera: CameraId::new("gate").unwrap(),
            at: FrameAt { epoch: 1, sequence, captured: Timestamp::default() },
            model: ModelRef { name: "m".into(), version: "1".into() },
            body,
        }
    }

    #[test]
    fn a_record_that_is_put_aside_accounts_for_its_frames() {
        let size = FrameSize { width: 64, height: 48 };
        let shed = |first, count, reason| ShedRange { first, count, reason };
        let before = FrameAccount { previous: Some(3), shed: vec![shed(4, 2, ShedReason::MaxFps)] };
        let numbered = ProcessedFrame { account: Some(before.clone()), ..ProcessedFrame::empty(size) };
        let own = |sequence| shed(sequence, 1, ShedReason::DeadLettered);
        let alone = |sequence: u64| FrameAccount { previous: sequence.checked_sub(1), shed: vec![own(sequence)] };
        for (sequence, body, account, frame) in [
            (
                6,
                RecordBody::Processed(numbered),
                FrameAccount { shed: vec![before.shed[0], own(6)], ..before },
                Some(size),
            ),
            (9, RecordBody::Processed(ProcessedFrame::empty(size)), alone(9), Some(size)),
            (0, RecordBody::SignalLoss(SignalLossReason::NoData), alone(0), None),
        ] {
            let accounting = record(sequence, RecordBody::AccountOnly(AccountOnly { account, frame }));
            assert_eq!(dead_lettered(record(sequence, body)), accounting);
            assert_eq!(dead_lettered(accounting.clone()), accounting);
        }
    }

    #[test]
    fn a_panic_is_told_in_its_words() {
        assert_eq!(run(|| 5), Ok(5));
        let index = std::hint::black_box(7);
        let error = run(|| [1, 2, 3][index]).unwrap_err();
        assert!(error.contains("index out of bounds"), "{error}");
    }
}
