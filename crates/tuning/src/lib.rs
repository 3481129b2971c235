//! What another policy would have raised: a camera's recorded detections are analysed again, and the alerts compared.
//!
//! *In:* the records of one camera, its setups, another policy, verdicts on alerts. *Out:* which alerts would be kept, changed, shifted,
//! lost and gained; the counts for each value of a threshold; values that verdicts speak for, with what may be claimed of them.
//! *Must not know:* where records and verdicts come from, clocks, files.

mod compare;
mod draft;
mod interval;
mod recording;
mod suggest;
mod sweep;

pub use compare::{Baseline, Change, Comparison, Difference, Judgement, Tally, Verdicts, compare};
pub use draft::{DraftError, Term, TermError};
pub use interval::{Interval, exact_upper, wilson};
pub use recording::{Recording, RecordingError};
pub use suggest::{Claim, Effect, Goal, NoSuggestion, Suggestion, suggest};
pub use sweep::{Point, SweepError, sweep};
