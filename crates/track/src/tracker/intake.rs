//! Selects the detections of a frame to process.

use vedette_core::{Detection, FrameSize};

use super::{Scratch, Tracker};
use crate::ground::GroundFix;

impl Tracker {
    /// Whether a track can begin when there is none. If not, the detections are counted as if they were processed.
    pub(super) fn can_begin(&mut self, frame: FrameSize, detections: &[Detection]) -> bool {
        let least = self.settings.floor_score.max(self.settings.start_score);
        if detections.iter().any(|detection| detection.score.get() >= least) {
            return true;
        }
        let mut kept = 0;
        for detection in detections {
            if !sensible(detection, frame) {
                self.stats.rejected += 1;
            } else if detection.score.get() >= self.settings.floor_score {
                kept += 1;
            }
        }
        self.stats.dropped = self.dropped(kept);
        false
    }

    /// Number of detections above the limit.
    fn dropped(&self, kept: usize) -> u32 {
        u32::try_from(kept.saturating_sub(self.settings.max_detections)).unwrap_or(u32::MAX)
    }

    /// Loads the detections worth processing, best first, in an order that depends on nothing but themselves.
    pub(super) fn take_in(
        &mut self,
        scratch: &mut Scratch,
        frame: FrameSize,
        detections: &[Detection],
        fixes: &[Option<GroundFix>],
    ) {
        let Scratch { detections: kept, fixes: kept_fixes, taken, .. } = scratch;
        kept.clear();
        kept_fixes.clear();
        for detection in detections {
            if !sensible(detection, frame) {
                self.stats.rejected += 1;
            } else if detection.score.get() >= self.settings.floor_score {
                kept.push(*detection);
            }
        }
        kept.sort_unstable_by(order);
        self.stats.dropped = self.dropped(kept.len());
        kept.truncate(self.settings.max_detections);
        if !fixes.is_empty() {
            // Equal detections have equal positions, so either one's fix is right.
            let mut fixed: Vec<(&Detection, &Option<GroundFix>)> = detections.iter().zip(fixes).collect();
            fixed.sort_by(|a, b| order(a.0, b.0));
            kept_fixes.extend(kept.iter().map(|detection| {
                let found = fixed.binary_search_by(|(other, _)| order(other, detection)).ok()?;
                fixed[found].1.filter(GroundFix::is_sound)
            }));
        }
        taken.clear();
        taken.resize(kept.len(), false);
    }
}

/// Best score first; the other fields break ties.
fn order(a: &Detection, b: &Detection) -> std::cmp::Ordering {
    let key = |d: &Detection| (d.bbox.x, d.bbox.y, d.bbox.width, d.bbox.height);
    let ((ax, ay, aw, ah), (bx, by, bw, bh)) = (key(a), key(b));
    b.score
        .get()
        .total_cmp(&a.score.get())
        .then(ax.total_cmp(&bx))
        .then(ay.total_cmp(&by))
        .then(aw.total_cmp(&bw).then(ah.total_cmp(&bh)).then(a.class.cmp(&b.class)))
}

/// Whether the box can be an object of the frame.
fn sensible(detection: &Detection, frame: FrameSize) -> bool {
    let bbox = &detection.bbox;
    let (width, height) = (frame.width as f32, frame.height as f32);
    // Comparisons with NaN are false.
    bbox.width > 0.0
        && bbox.height > 0.0
        && bbox.width <= 4.0 * width
        && bbox.height <= 4.0 * height
        && bbox.right() >= -width
        && bbox.x <= 2.0 * width
        && bbox.bottom() >= -height
        && bbox.y <= 2.0 * height
}
