//! Turns tracks and a policy into episodes: the periods in which a rule's condition held. Each rule kind is a file in
//! `kinds`, and one line in the list of `kinds.rs`.
//!
//! *In:* the confirmed tracks of one camera, frame by frame, and the [`Policy`] that applies. *Out:* [`Episode`]s, emitted once
//! when raised and once when ended. *Must not know:* how tracks are produced, where alerts go, the current time. The result is a
//! pure function of the frames and policies since the engine began: no clock, no I/O, no randomness, and the time-zone rules are
//! built in, so that every machine gives the same result.
//!
//! Common to all rules:
//!
//! - An object's position is its anchor, the midpoint of the bottom edge of its box, clamped to the frame.
//! - An object counts once its score has reached `enter` in this camera, and in each frame in which it is at least `stay`.
//! - Outages up to `gap_tolerance` are ignored. A new track that begins where another was lost, within that time, is the
//!   same object for a rule: its timers continue and it raises no second alert.
//! - Conservative by default: after an episode is raised, and again after it ended, its rule raises nothing for `cooldown`,
//!   whatever its subject. A condition that still holds after the cooldown is raised then. Only raised episodes start one.
//! - A crossing counts once the object has been on the other side for 100 ms (from the first frame on where frames are 500 ms
//!   apart), so that a jittering box does not cross. An object cut off by the left or right border of the picture does not cross:
//!   its middle is unknown.
//! - A count includes objects that were inside when last seen, up to `gap_tolerance` ago: a crowd occludes its own members.
//! - Rules about one object emit one episode per object; rules about a zone, other rules or the camera one per rule ([`Subject`]).
//!   Instantaneous kinds ([`KindInfo::instantaneous`]) emit it once, raised with `ended` set.
//! - An episode that was almost raised is a near-miss. Near-misses are bounded and never change the episodes.
//! - Times that jump back never make a duration negative: a frame that is a little late is ignored, a clock that is set back
//!   ends open episodes.
//!
//! [`Policy`]: vedette_core::Policy
//! [`Episode`]: vedette_core::Episode

mod calendar;
mod camera;
mod catalog;
mod check;
mod combination;
mod common;
mod cooldown;
mod crowd;
mod definition;
mod engine;
mod engine_state;
mod facts;
mod fingerprint;
mod format_6;
mod found;
mod geometry;
mod ground;
mod held;
mod history;
mod kinds;
mod lazy_box;
mod limits;
mod line_crossing;
mod mask;
mod near;
mod near_miss;
mod nearest;
mod parameters;
mod policy_rule;
mod ready;
mod ruleset;
mod shape;
mod shared;
mod side;
mod state;
mod stats;
mod step;
mod trajectory;
mod usual;
mod zone_border;
mod zone_dwell;

pub use catalog::{RuleKindInfo, rule_kind, rule_kinds, violations};
pub use common::common_params;
pub use definition::{Gbt28181, KindInfo, Measure, Subject, Text};
pub use engine::{RuleEngine, Sight, StateMismatch};
pub use engine_state::EngineState;
pub use facts::FrameFacts;
pub use format_6::EngineState6;
pub use ground::{Ground, GroundMetres};
pub use mask::{is_masked, mask_mistakes};
pub use nearest::NearestFrames;
pub use parameters::{ParamInfo, ParamType};
pub use ruleset::RuleSet;
pub use shared::SharedPolicy;
pub use stats::FrameStats;
