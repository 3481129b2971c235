//! Changes whose decision comes while frames of the cameras that they concern arrive.

use vedette_core::LateChange;
use vedette_runtime::clock;
use vedette_topics::{During, topics};

use super::Analyse;
use crate::metrics;
use crate::registry::Hold;

/// Waits until a change is decided, or has taken too long.
pub(super) async fn wait(stage: &Analyse, hold: &Hold) {
    metrics::ANALYSE_FRAMES_HELD.get().increment(1);
    let mut changes = stage.registry.changes();
    while stage.registry.undecided().iter().any(|change| change.id == hold.change) {
        let heard = tokio::time::timeout_at(hold.until, changes.changed()).await;
        if heard.is_err() && stage.registry.give_up(&hold.change) {
            metrics::ANALYSE_CHANGES_OVERDUE.get().increment(1);
            tracing::warn!(change = %hold.change, "no decision on a change came in time; the analysis goes on without it");
            stage.worker.overdue(&stage.bus, &hold.change).await;
        }
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
