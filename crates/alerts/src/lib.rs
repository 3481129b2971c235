//! What an alert is, how it is written down, and where it is kept.
//!
//! *In:* an episode of a rule with the frame and the place it happened at; later, what a person decided about it.
//! *Out:* an [`Alert`](vedette_core::Alert) with an identity that never changes, its `CloudEvents` headers, its JSON form,
//! and a store that takes the same alert any number of times, keeps it once, and joins those of one event.
//! *Must not know:* how tracks arose, how a place was found, how anybody looked, HTTP, the bus.

mod assemble;
pub mod cloudevents;
mod event;
mod identity;
pub mod json;
mod place_json;
mod store;
mod view_json;
mod words;

pub use assemble::{AlertContext, assemble};
pub use event::{Lead, OneEvent, OneEventError, leads};
pub use identity::{ALERT_NAMESPACE, alert_id};
pub use store::{
    AlertFilter, AlertPage, AlertStore, Cursor, CursorError, Decision, EvidenceLook, PostgresServer,
    PostgresServerError, RecordPosition, StoreCounts, StoreError, StoredAlert, Upserted, Verdict, VerdictFilter, View,
};
