use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use vedette_alert_store::Looked;
use vedette_alerts::{ClipState, StoredAlert};

use super::byte_range;
use super::looks::{LOOK, LookQuery, Viewer};
use super::{App, Shared, alert_id, find, with_store};
use crate::SnapshotUnavailable;
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::metrics;
use crate::params::Params;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson, ProblemKind};

/// The snapshot of an alert (JPEG)
///
/// The frame that raised the alert, with people pixelated unless the site is configured otherwise. Every access is recorded before
/// the picture is sent. The picture is made at the first access and then kept as long as the alert.
#[utoipa::path(get, path = "/api/v1/alerts/{id}/snapshot", tag = "alerts", operation_id = "getSnapshot",
    params(("id" = String, Path, description = "The alert's id (UUID)"), LookQuery),
    responses(
        (status = 200, description = "The picture", body = Vec<u8>, content_type = "image/jpeg"),
        (status = 400, description = "A parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
        (status = 404, description = "No such alert", body = ProblemJson, content_type = "application/problem+json"),
        (status = 410, description = "The picture is no longer available", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "Not yet, or too many at once", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn snapshot(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let params = Params::read(query.as_deref(), LOOK)?;
    let viewer = Viewer::read(&app, &params, &allowed)?;
    let stored = find(&app, &allowed, alert_id(&id)?).await?;
    let jpeg = picture(&app, &stored).await?;
    viewer.record(&app, Looked::Alert(stored.alert.id), "snapshot").await?;
    // Not cached by the browser: every access must be recorded.
    Ok(([(header::CONTENT_TYPE, "image/jpeg"), (header::CACHE_CONTROL, "no-store")], jpeg))
}

async fn picture(app: &Shared, stored: &StoredAlert) -> Result<Bytes, Problem> {
    let id = stored.alert.id;
    if let Some(kept) = with_store(app, move |store| store.snapshot(id)).await? {
        return Ok(kept);
    }
    let waited = std::time::Instant::now();
    let turn = tokio::time::timeout(app.settings.snapshot_wait, app.snapshots.acquire()).await;
    metrics::SNAPSHOT_WAIT_SECONDS.get().record(waited.elapsed().as_secs_f64());
    let Ok(Ok(_turn)) = turn else {
        metrics::SNAPSHOTS.with(["refused_busy"]).increment(1);
        return Err(Problem::new(ProblemKind::BUSY, ApiRule::TooManySnapshots));
    };
    // Another request may have made it while this one waited.
    if let Some(kept) = with_store(app, move |store| store.snapshot(id)).await? {
        return Ok(kept);
    }
    let made = app.parts.snapshots.snapshot(&stored.alert).await;
    let outcome = match &made {
        Ok(_) => "made",
        Err(SnapshotUnavailable::Gone(_)) => "gone",
        Err(SnapshotUnavailable::Pending(_)) => "pending",
        Err(SnapshotUnavailable::Failed(_)) => "failed",
    };
    metrics::SNAPSHOTS.with([outcome]).increment(1);
    let jpeg = made.map_err(|why| match why {
        SnapshotUnavailable::Gone(reason) => Problem::new(ProblemKind::GONE, ApiRule::Gone { reason }),
        SnapshotUnavailable::Pending(reason) => Problem::new(ProblemKind::BUSY, ApiRule::Pending { reason }),
        SnapshotUnavailable::Failed(reason) => Problem::new(ProblemKind::INTERNAL, ApiRule::Snapshot { reason }),
    })?;
    let kept = jpeg.clone();
    with_store(app, move |store| store.put_snapshot(id, &kept)).await?;
    Ok(jpeg)
}

/// The clip of an alert (`WebM`)
///
/// The frames that were analysed from 3 s before to 5 s after the frame that raised the alert, without sound, with people pixelated unless the
/// site is configured otherwise. Every access is recorded before the clip is sent. It is made in the background some seconds after the alert,
/// and kept as long as the alert; `evidence.clip` of the alert says whether there is one. A part of it is asked for with `Range`.
#[utoipa::path(get, path = "/api/v1/alerts/{id}/clip", tag = "alerts", operation_id = "getClip",
    params(("id" = String, Path, description = "The alert's id (UUID)"), LookQuery),
    responses(
        (status = 200, description = "The clip", body = Vec<u8>, content_type = "video/webm"),
        (status = 206, description = "The part asked for with `Range`", body = Vec<u8>, content_type = "video/webm"),
        (status = 400, description = "A parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
        (status = 404, description = "No such alert", body = ProblemJson, content_type = "application/problem+json"),
        (status = 410, description = "There is no clip, and will be none", body = ProblemJson, content_type = "application/problem+json"),
        (status = 416, description = "The range lies outside the clip", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "Not yet", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn clip(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let params = Params::read(query.as_deref(), LOOK)?;
    let viewer = Viewer::read(&app, &params, &allowed)?;
    let stored = find(&app, &allowed, alert_id(&id)?).await?;
    let id = stored.alert.id;
    let pending = || Problem::new(ProblemKind::BUSY, ApiRule::ClipPending);
    let webm = match stored.clip {
        ClipState::Pending => return Err(pending()),
        ClipState::None(reason) => {
            let rule = ApiRule::NoClip { word: reason.as_str().to_owned(), reason: reason.to_string() };
            return Err(Problem::new(ProblemKind::GONE, rule));
        }
        ClipState::Made => with_store(&app, move |store| store.clip(id)).await?.ok_or_else(pending)?,
    };
    let part = byte_range::part(&headers, webm.len())?;
    viewer.record(&app, Looked::Alert(id), "clip").await?;
    Ok(byte_range::answer("video/webm", webm, part))
}
