//! What an alert is and how it is written down.
//!
//! *In:* an episode of a rule with the frame and the place it happened at; later, what a person decided about it.
//! *Out:* an [`Alert`](vedette_core::Alert) with an identity that never changes, its `CloudEvents` headers, its JSON form, and
//! which alerts of several cameras are one event.
//! *Must not know:* how tracks arose, how a place was found, how anybody looked, where alerts are kept, HTTP, the bus.

mod assemble;
pub mod cloudevents;
pub mod event;
mod identity;
pub mod json;
mod place_json;
mod snapshot_path;
mod stored;
mod verdict;
mod verdict_json;
mod view_json;
mod words;

pub use assemble::{AlertContext, assemble};
pub use event::{Lead, OneEvent, OneEventError, leads};
pub use identity::{ALERT_NAMESPACE, alert_id};
pub use stored::{StoredAlert, View};
pub use verdict::{Decision, Verdict};
