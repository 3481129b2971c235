use std::path::Path;

use tokio::sync::mpsc;
use tokio::time::Instant;
use vedette_core::Span;

use super::output::{Gone, Output};
use super::reader::{Item, Order, spawn};
use super::{IntakeEvent, IntakeSettings, LossReason, RefusalReason};
use crate::metrics;

/// Units read ahead of time.
const READ_AHEAD: usize = 32;

/// Plays a recording in real time: a unit is sent when due, with that time as its capture time.
pub(super) async fn play(
    output: &mut Output,
    settings: &IntakeSettings,
    path: &Path,
    looped: bool,
    offset: Span,
) -> Result<(), Gone> {
    loop {
        let shown = path.display().to_string();
        if tokio::fs::File::open(path).await.is_err() {
            output.lost(LossReason::FileMissing(shown)).await?;
            continue;
        }
        let (sender, mut items) = mpsc::channel(READ_AHEAD);
        let order = Order {
            path: path.to_owned(),
            looped,
            offset,
            timeout: settings.timeout,
            max_bytes: settings.chunk_max_bytes,
        };
        if let Err(error) = spawn(order, sender) {
            output.lost(LossReason::BrokenStream(format!("no thread to read it: {error}"))).await?;
            continue;
        }
        let mut anchor = None;
        let mut connected = None;
        let end = loop {
            match output.meanwhile(items.recv()).await? {
                Some(Item::Format(codec, frame)) if connected == Some(codec) => output.resized(frame).await?,
                Some(Item::Format(codec, frame)) => {
                    output.cut().await?;
                    output.connected(codec, frame).await?;
                    connected = Some(codec);
                }
                Some(Item::Unit(data, time)) => {
                    let (wall, started) = *anchor.get_or_insert_with(|| (output.now(), Instant::now()));
                    let due = started + time.to_std();
                    if due > Instant::now() {
                        output.until_due(due).await?;
                    }
                    output.unit(data, wall + time).await?;
                }
                Some(Item::Truncated(detail)) => {
                    metrics::FILES_TRUNCATED.get().increment(1);
                    tracing::warn!(path = %shown, detail, "the recording is truncated");
                }
                Some(Item::PassEnded) => {
                    output.cut().await?;
                    if output.chunks_sent() == 0 && connected.is_some() && anchor.is_some() {
                        let max_bytes = settings.chunk_max_bytes;
                        break Some(RefusalReason::NothingUsable { path: shown, max_bytes });
                    }
                }
                Some(Item::Refused(reason)) => break Some(reason),
                None => break None,
            }
        };
        output.cut().await?;
        // A recording that ended is no fault; a refused one is a camera without signal.
        return match end {
            Some(reason) => output.refused(reason).await,
            None => output.send(IntakeEvent::Ended).await,
        };
    }
}
