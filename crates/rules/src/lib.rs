//! Tracks and a policy become episodes: the stretches of time in which a rule's condition held.
//!
//! *In:* the confirmed tracks of one camera, frame by frame, and the [`Policy`] that applies. *Out:* [`Episode`]s, given
//! once when raised and once when ended. *Must not know:* how tracks arose, where alerts go, what time it is now. The
//! result is a pure function of the frames and policies since the engine began: no clock, no I/O, no randomness, and the
//! time-zone rules are built in, so that every machine gives the same answer.
//!
//! What holds for every rule:
//!
//! - An object is where its anchor is, the middle of the bottom edge of its box, held inside the frame.
//! - An object counts once its score has reached `enter` in this camera, and in each frame in which it is at least `stay`.
//! - Outages up to `gap_tolerance` are forgiven. A new track that begins where another was lost, within that time, is the
//!   same object for a rule: timers go on and no second alert comes of it.
//! - Quiet by default: after an episode is raised, and again after it ended, its rule raises nothing for `cooldown`,
//!   whoever it would be about. What still holds when the silence is over is raised then. Only what was raised silences.
//! - A crossing counts once the object has been on the other side for 100 ms (from the first frame on where frames are
//!   500 ms apart), so that a shaking box does not cross. An object that the left or right border of the picture cuts off
//!   crosses nothing until it is whole: where its middle is cannot be told.
//! - A count includes objects that were inside when last seen, up to `gap_tolerance` ago: a crowd hides its own.
//! - Rules about one object give one episode per object; count, density, gathering and together one per rule. Crossings, entry,
//!   exit, a removed object, sequence and absence are moments: raised with `ended` set, once. A stay waits for its `duration`
//!   alone.
//! - What almost was raised is told as a near-miss, bounded and beside the rules: it never changes what they raise.
//! - Times that jump back never make a duration negative: a little late is ignored, much ends what is open.
//!
//! [`Policy`]: vedette_core::Policy
//! [`Episode`]: vedette_core::Episode

mod borders;
mod calendar;
mod check;
mod combination;
mod crowd;
mod engine;
mod fingerprint;
mod geometry;
mod ground;
mod health;
mod held;
mod near;
mod objects;
mod outage;
mod passages;
mod path;
mod rarely;
mod ruleset;
mod shape;
mod shared;
mod silence;
mod state;
mod step;
mod things;
mod visits;

pub use check::PolicyMistake;
pub use engine::{FrameStats, RuleEngine, StateMismatch};
pub use ground::{Ground, GroundMetres};
pub use health::FrameFacts;
pub use ruleset::RuleSet;
pub use shared::SharedPolicy;
pub use state::EngineState;
