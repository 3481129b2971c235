//! A client for network cameras: RTSP with RTP in TCP or UDP.
//!
//! *In:* an address, credentials, settings ([`connect`]). *Out:* encoded pictures in decoding order with their stream time and what was
//! lost before them, and the camera's sender reports ([`Session::next`]).
//! *Must not know:* chunks, capture times, decoders, what happens after a loss.
//!
//! Whatever a camera says is bounded in bytes and time, and read by code without `unsafe`. What can be read in spite of the standard
//! is read; a useless packet is skipped and counted, and only many in a row end a session. Pictures with a missing part are dropped,
//! and the next one tells the loss.

mod address;
mod bits;
mod challenge;
mod client;
mod depacket;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzz_targets;
mod item;
mod login;
mod message;
mod order;
mod parameter_sets;
mod rtp;
mod sdp;
mod settings;
#[cfg(feature = "testing")]
pub mod testing;
mod timeline;
mod track;
mod transport;

pub use client::{Session, connect};
pub use error::{Error, RedirectError, TransportError};
pub use item::{Description, Item, SenderReport, StreamTime, Unit};
pub use settings::{Credentials, Settings, Transport};
