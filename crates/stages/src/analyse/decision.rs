//! Changes whose decision comes while frames of the cameras that they concern arrive.

use std::time::Duration;

use tokio::time::Instant;
use vedette_core::{Change, ChangePhase, LateChange};
use vedette_runtime::clock;
use vedette_topics::{During, topics};

use super::Analyse;
use crate::metrics;
use crate::registry::Hold;

/// How long an abort may take to be read.
const AGAIN: Duration = Duration::from_secs(5);

/// Waits until a change is decided. If that takes too long, it is aborted from here: the first decision on the topic counts, so every
/// process and every replay decide as this one does.
pub(super) async fn wait(stage: &Analyse, hold: &Hold) -> crate::Result<()> {
    metrics::ANALYSE_FRAMES_HELD.get().increment(1);
    let (mut changes, mut until) = (stage.registry.changes(), hold.until);
    loop {
        let undecided = stage.registry.undecided();
        let Some(change) = undecided.iter().find(|change| change.id == hold.change) else { return Ok(()) };
        if tokio::time::timeout_at(until, changes.changed()).await.is_ok() {
            continue;
        }
        metrics::ANALYSE_CHANGES_OVERDUE.get().increment(1);
        tracing::warn!(change = %hold.change, "no decision on a change came in time; the analysis aborts it");
        stage.worker.overdue(&stage.bus, &stage.registry, &hold.change).await;
        let phase = ChangePhase::Aborted("a worker waited too long for the decision".to_owned());
        let aborted = Change { phase, ..Change::clone(change) };
        let sent = topics::CHANGES.send(&stage.bus, &aborted, clock::now()).await;
        sent.during("aborting a change")?.await.during("aborting a change")?;
        // It is read soon, or what was decided before.
        until = Instant::now() + AGAIN;
    }
}

/// Records that changes came too late, before any frame is analysed with them: a restart and a replay do as was done.
pub(super) async fn record_late(stage: &Analyse, late: Vec<LateChange>) -> crate::Result<()> {
    for span in late {
        let LateChange { from, until, exact, .. } = &span;
        tracing::warn!(%from, %until, exact, "a change came after frames that it concerns were analysed");
        metrics::ANALYSE_LATE_CHANGES.with([if *exact { "true" } else { "false" }]).increment(1);
        let sent = topics::LATE_CHANGES.send(&stage.bus, &span, clock::now()).await;
        let delivery = sent.during("recording a late change")?;
        delivery.await.during("recording a late change")?;
        stage.registry.note_late(span);
    }
    Ok(())
}
