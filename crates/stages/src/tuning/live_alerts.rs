use vedette_access::Areas;
use vedette_alert_store::{AlertFilter, AlertStore, StoreError};
use vedette_alerts::{Decision, StoredAlert};
use vedette_core::{CameraId, Span, Timestamp};
use vedette_tuning::{Judgement, LiveAlert};

/// Alerts that are read at once.
const PAGE: u32 = 1_000;

/// The alerts of a camera that were raised live between two capture times, both included, with the verdicts on them.
pub(super) fn live_alerts(
    store: &AlertStore,
    camera: &CameraId,
    (first, last): (Timestamp, Timestamp),
) -> Result<Vec<LiveAlert>, StoreError> {
    let mut filter = AlertFilter {
        each: true,
        camera: Some(camera.clone()),
        from: Some(first),
        until: Some(last + Span::from_micros(1)),
        limit: PAGE,
        ..AlertFilter::default()
    };
    let mut alerts = Vec::new();
    loop {
        let page = store.list(&filter, &Areas::Everywhere)?;
        alerts.extend(page.alerts.into_iter().map(judged));
        filter.before = page.next;
        if filter.before.is_none() {
            return Ok(alerts);
        }
    }
}

fn judged(stored: StoredAlert) -> LiveAlert {
    let judgement = stored.verdict.map(|verdict| match verdict.decision {
        Decision::Confirmed => Judgement::Confirmed,
        Decision::FalseAlarm => Judgement::False,
    });
    (stored.alert, judgement)
}
