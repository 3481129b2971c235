use crate::assignment::Matrix;
use crate::mot::{MotRow, by_frame, numbered};
use crate::{EvalError, SequenceInfo};

/// Ground truth and tracks of one sequence, side by side.
#[derive(Debug, Clone)]
pub struct Comparison {
    pub(crate) frames: Vec<ComparedFrame>,
    /// True boxes of each object.
    pub(crate) true_boxes: Vec<u32>,
    /// Boxes of each track.
    pub(crate) track_boxes: Vec<u32>,
}

/// One frame: ids counted from 0, and the overlap of each true box (rows) with each track's (columns).
#[derive(Debug, Clone)]
pub(crate) struct ComparedFrame {
    pub(crate) truth: Vec<usize>,
    pub(crate) tracks: Vec<usize>,
    pub(crate) overlap: Matrix,
}

impl Comparison {
    /// Aligns the ground truth with a tracker's output. True boxes of confidence 0 are ignored.
    ///
    /// # Errors
    /// When one id has two boxes in a frame.
    pub fn new(info: &SequenceInfo, truth: &[MotRow], tracks: &[MotRow]) -> Result<Self, EvalError> {
        numbered(truth, "true boxes")?;
        let truth: Vec<MotRow> = truth.iter().filter(|row| row.confidence != 0.0).copied().collect();
        let (true_ids, track_ids) = (numbered(&truth, "true boxes")?, numbered(tracks, "tracks")?);
        let (mut true_boxes, mut track_boxes) = (vec![0; true_ids.len()], vec![0; track_ids.len()]);
        let mut frames = Vec::with_capacity(info.frames as usize);
        for (truth, tracks) in by_frame(&truth, info.frames).iter().zip(by_frame(tracks, info.frames)) {
            let frame = ComparedFrame {
                truth: truth.iter().map(|row| true_ids[&row.id]).collect(),
                tracks: tracks.iter().map(|row| track_ids[&row.id]).collect(),
                overlap: Matrix::from_fn(truth.len(), tracks.len(), |row, column| {
                    truth[row].bbox.iou(&tracks[column].bbox)
                }),
            };
            frame.truth.iter().for_each(|id| true_boxes[*id] += 1);
            frame.tracks.iter().for_each(|id| track_boxes[*id] += 1);
            frames.push(frame);
        }
        Ok(Self { frames, true_boxes, track_boxes })
    }

    pub(crate) fn true_total(&self) -> u64 {
        self.true_boxes.iter().map(|count| u64::from(*count)).sum()
    }

    pub(crate) fn track_total(&self) -> u64 {
        self.track_boxes.iter().map(|count| u64::from(*count)).sum()
    }
}

/// Ratio of `part` to `whole`; 0 if `whole` is 0.
pub(crate) fn ratio(part: f64, whole: f64) -> f64 {
    part / whole.max(1.0)
}
