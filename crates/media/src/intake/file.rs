use std::fs::File;
use std::path::Path;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use vedette_core::Span;

use super::demux::Format;
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
        if let Err(reason) = readable(output, settings, path).await? {
            output.lost(reason).await?;
            continue;
        }
        let (sender, mut items) = mpsc::channel(READ_AHEAD);
        let order = Order { path: path.to_owned(), looped, offset, timeout: settings.timeout };
        if let Err(error) = spawn(order, sender) {
            output.lost(LossReason::BrokenStream(format!("no thread to read it: {error}"))).await?;
            continue;
        }
        let mut anchor = None;
        let mut connected = None;
        let mut ahead = None;
        let end = loop {
            let item = match ahead.take() {
                Some(item) => item,
                None => output.meanwhile(items.recv()).await?,
            };
            match item {
                Some(Item::Format(Format { codec, frame, display })) => {
                    output.set_display(display);
                    if connected == Some(codec) {
                        output.resized(frame).await?;
                    } else {
                        output.cut().await?;
                        output.connected(codec, frame).await?;
                        connected = Some(codec);
                    }
                }
                Some(Item::Unit(data, time)) => {
                    let (wall, started) = *anchor.get_or_insert_with(|| (output.now(), Instant::now()));
                    let due = started + time.to_std();
                    if due > Instant::now() {
                        output.until_due(due).await?;
                    }
                    // Where the recording ends is known before its last unit is handed on.
                    let next = output.meanwhile(items.recv()).await?;
                    if matches!(next, None | Some(Item::PassEnded | Item::Truncated(_))) {
                        output.expect_end();
                    }
                    ahead = Some(next);
                    output.unit(data, wall + time).await?;
                }
                Some(Item::Truncated(detail)) => {
                    metrics::FILES_TRUNCATED.get().increment(1);
                    tracing::warn!(path = %shown, detail, "the recording is truncated");
                }
                Some(Item::PassEnded) => {
                    output.cut().await?;
                    if output.chunks_sent() == 0 && connected.is_some() && anchor.is_some() {
                        break Some(RefusalReason::NothingUsable { path: shown });
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

/// Whether the file can be opened. Opening may never return (a pipe without a writer, a network drive that is away): it happens on
/// a thread of its own, which no stop waits for, and of which there is one at most.
async fn readable(output: &mut Output, settings: &IntakeSettings, path: &Path) -> Result<Result<(), LossReason>, Gone> {
    let (sender, mut answer) = oneshot::channel();
    let (opened, shown) = (path.to_owned(), path.display().to_string());
    let open = move || {
        // There may be no listener.
        let _ = sender.send(
            std::fs::metadata(&opened)
                .and_then(|file| if file.is_file() { File::open(&opened).map(drop) } else { Ok(()) }),
        );
    };
    if let Err(error) = std::thread::Builder::new().name("vedette-opener".into()).spawn(open) {
        return Ok(Err(LossReason::BrokenStream(format!("no thread to open it: {error}"))));
    }
    loop {
        match output.meanwhile(tokio::time::timeout(settings.timeout, &mut answer)).await? {
            Err(_) => output.lost(LossReason::Timeout(settings.timeout)).await?,
            Ok(Ok(Ok(()))) => return Ok(Ok(())),
            Ok(_) => return Ok(Err(LossReason::FileMissing(shown))),
        }
    }
}
