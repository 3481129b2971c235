//! Inspects a recording before it is played.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use vedette_core::{Codec, FrameSize, Span};

use super::RefusalReason;
use super::reader::{Item, Order, spawn};

/// Number of frames that reveal B-frames: encoders use them from the first group of pictures on.
const FRAMES: u32 = 300;

/// Properties of a recording that matter to intake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recording {
    /// The codec of its pictures.
    pub codec: Codec,
    /// Their size, in pixels.
    pub frame: FrameSize,
    /// Whether decoding and display order differ; intake loses frames that come late.
    pub b_frames: bool,
}

/// Demuxes the beginning of a recording as intake does, and nothing more: the file is not changed, and nothing is decoded.
/// Blocks, for `patience` at most where the file yields nothing; call it off the async threads.
///
/// # Errors
/// Why intake would refuse it.
pub fn inspect(path: &Path, patience: Duration) -> Result<Recording, RefusalReason> {
    crate::init()?;
    let shown = path.display().to_string();
    let (sender, mut items) = mpsc::channel(FRAMES as usize);
    let order =
        Order { path: path.to_owned(), looped: false, offset: Span::ZERO, timeout: patience, max_bytes: usize::MAX };
    spawn(order, sender).map_err(|error| RefusalReason::NotVideo {
        path: shown.clone(),
        detail: format!("no thread to read it: {error}"),
    })?;
    let mut found: Option<Recording> = None;
    let (mut frames, mut latest) = (0, Span::ZERO);
    while let Some(item) = items.blocking_recv() {
        match item {
            Item::Refused(reason) => return Err(reason),
            Item::Format(codec, frame) => _ = found.get_or_insert(Recording { codec, frame, b_frames: false }),
            Item::Unit(_, time) => {
                if let Some(recording) = &mut found {
                    recording.b_frames |= time < latest;
                }
                latest = latest.max(time);
                frames += 1;
                if frames == FRAMES {
                    break;
                }
            }
            Item::Truncated(_) | Item::PassEnded => {}
        }
    }
    // As intake reports it when a whole pass held no key frame.
    found.ok_or(RefusalReason::NothingUsable { path: shown, max_bytes: usize::MAX })
}
