//! Inspects a recording before it is played.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use vedette_core::{Codec, FrameSize, Span};

use super::RefusalReason;
use super::demux::Format;
use super::reader::{Item, Order, spawn};

/// Properties of a recording that matter to intake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recording {
    /// The codec of its pictures.
    pub codec: Codec,
    /// Their size as they are shown, in pixels.
    pub frame: FrameSize,
}

/// Demuxes the beginning of a recording as intake does, and nothing more: the file is not changed, and nothing is decoded.
/// Blocks, for `patience` at most where the file yields nothing; call it off the async threads.
///
/// # Errors
/// Why intake would refuse it.
pub fn inspect(path: &Path, patience: Duration) -> Result<Recording, RefusalReason> {
    crate::init()?;
    let shown = path.display().to_string();
    let (sender, mut items) = mpsc::channel(1);
    let order = Order { path: path.to_owned(), looped: false, offset: Span::ZERO, timeout: patience };
    spawn(order, sender).map_err(|error| RefusalReason::NotVideo {
        path: shown.clone(),
        detail: format!("no thread to read it: {error}"),
    })?;
    while let Some(item) = items.blocking_recv() {
        match item {
            Item::Refused(reason) => return Err(reason),
            Item::Format(Format { codec, frame, display }) => {
                return Ok(Recording { codec, frame: display.of(None).shown(frame) });
            }
            Item::Unit(..) | Item::Truncated(_) | Item::PassEnded => {}
        }
    }
    // As intake reports it when a whole pass held no key frame.
    Err(RefusalReason::NothingUsable { path: shown })
}
