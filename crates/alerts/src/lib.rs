//! Alerts and their formats.
//!
//! *In:* an episode of a rule with its frame and place; later, a person's verdict; near-misses.
//! *Out:* the identity of a near-miss; an [`Alert`](vedette_core::Alert) with an immutable identity, its `CloudEvents` headers, its JSON form, and
//! cross-camera events.
//! *Must not know:* how tracks or places are produced, anybody's appearance, where alerts are stored, HTTP, the bus.

mod assemble;
mod clip;
mod clip_json;
pub mod cloudevents;
pub mod event;
mod evidence_path;
mod identity;
pub mod json;
mod place_json;
mod signal_loss_json;
mod stored;
mod verdict;
mod verdict_json;
mod view_json;
mod words;

pub use assemble::{AlertContext, assemble};
pub use clip::{ClipState, NoClip};
pub use event::{Lead, OneEvent, OneEventError, leads};
pub use identity::{ALERT_NAMESPACE, NearMissId, alert_id, near_miss_id};
pub use stored::{StoredAlert, View};
pub use verdict::{Decision, Verdict};
