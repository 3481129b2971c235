//! What another policy would have raised: a camera's recorded detections are analysed again, and the alerts compared.
//!
//! *In:* the records of one camera, its setups, another policy, verdicts on alerts. *Out:* which alerts would be kept, changed, shifted,
//! lost and gained; the counts for each value of a threshold; values that verdicts speak for, with what may be claimed of them; why a rule
//! raised an alert, or raised none.
//! *Must not know:* where verdicts come from, clocks, the format of the detection store.

mod compare;
mod coverage;
mod draft;
mod error;
mod explain;
mod interval;
pub mod json;
mod recording;
mod source;
mod suggest;
mod sweep;
mod tracked;
mod trial;
mod window;

pub use compare::{Baseline, Change, Comparison, Difference, Judgement, Tally, Verdicts, compare};
pub use coverage::{Coverage, ModelChange};
pub use draft::{DraftError, Term, TermError};
pub use error::{RecordingError, TrialError};
pub use explain::{
    Explanation, FrameSeen, Loosened, MOST_REPLAYS, Margin, NearMissSeen, OtherRule, Question, Rung, RungEffect,
    TrackSeen, explain, tracks,
};
pub use interval::{Interval, exact_upper, wilson};
pub use recording::Recording;
pub use source::Source;
pub use suggest::{Claim, Effect, Goal, NoSuggestion, Suggestion, suggest};
pub use sweep::{Counts, MOST_POINTS, Point};
pub use tracked::Tracked;
pub use trial::{CameraTrial, LiveAlert, lead};
pub use window::Window;
