//! Evaluation of tracks and events against ground truth.
//!
//! *In:* boxes in MOT format, events, and the ground truth of both. *Out:* the field's metrics: HOTA (Luiten et al. 2020),
//! CLEAR (Bernardin and Stiefelhagen 2008: MOTA, switches) and Identity (Ristani et al. 2016: IDF1) of tracks; precision,
//! recall, F1, false alarms per camera-hour and delay of events. *Must not know:* which tracker or rules produced them, files,
//! clocks. The track metrics follow TrackEval's definitions, its MOT15 settings included: only true boxes of confidence 0 are
//! ignored.

mod assignment;
mod clear;
mod comparison;
mod error;
mod events;
mod hota;
mod identity;
mod kind;
mod labels;
mod mot;
mod rules;
mod sequence;
mod tracks;

pub use clear::Clear;
pub use comparison::Comparison;
pub use error::EvalError;
pub use events::{EventScore, KindScore, SceneFacts};
pub use hota::Hota;
pub use identity::Identity;
pub use kind::EventKind;
pub use labels::{Event, TrueEvent, read_events, read_true_events};
pub use mot::{MotBox, MotRow, by_frame, every_nth, read_mot, write_mot};
pub use rules::{SceneRule, SceneRules, read_scene_rules};
pub use sequence::SequenceInfo;
pub use tracks::{TrackMetrics, weighted};
