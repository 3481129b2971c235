use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use axum::http::header;
use axum::response::IntoResponse;
use bytes::Bytes;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use vedette_alert_store::EvidenceLook;
use vedette_alerts::StoredAlert;
use vedette_core::text_violation;

use super::{App, Shared, alert_id, find, with_store};
use crate::SnapshotUnavailable;
use crate::api_rule::ApiRule;
use crate::gate::Client;
use crate::metrics;
use crate::params::Params;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson, ProblemKind};

const MAX_WHO: usize = 64;
const MAX_REASON: usize = 200;
const MOST_LOOKS: u32 = 1000;

/// The person who views the evidence, and the purpose.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters; `Looker` reads them")]
pub(crate) struct LookQuery {
    /// The name of the viewer, at most 64 characters; `unnamed` when absent.
    by: Option<String>,
    /// The purpose, at most 200 characters; `review` when absent.
    reason: Option<String>,
}

/// An access to the evidence of an alert.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LookJson {
    /// The time, by the server's clock.
    #[schema(format = DateTime)]
    at: String,
    /// The viewer, by the name given.
    by: String,
    /// The network address of the viewer.
    peer: String,
    /// The purpose.
    reason: String,
    /// The kind of evidence.
    what: String,
}

/// Accesses to the evidence of an alert, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LookList {
    /// A page of them.
    looks: Vec<LookJson>,
    /// Pass it as `before` for the next page; null on the last one.
    #[schema(required = true)]
    next: Option<String>,
}

/// Which page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters; `looks` reads them")]
pub(crate) struct LooksQuery {
    /// Most accesses, 1 to 1000; 1000 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Continue after a page: the value of its `next`.
    before: Option<String>,
}

/// A short text from a user, of bounded length. Other than visible characters would forge lines of a log or show another name.
pub(super) fn short_text(name: &str, text: &str, max: usize) -> Result<String, Problem> {
    let text = text.trim();
    if text.chars().count() > max {
        return Err(Problem::parameter(name, text, ApiRule::Length { most: max }));
    }
    // Its length is checked above.
    if text_violation(text, usize::MAX).is_some() {
        return Err(Problem::parameter(name, text, ApiRule::Control));
    }
    Ok(text.to_owned())
}

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
    Extension(Client(client)): Extension<Client>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let params = Params::read(query.as_deref(), &["by", "reason"])?;
    let who = short_text("by", params.text("by").unwrap_or("unnamed"), MAX_WHO)?;
    let reason = short_text("reason", params.text("reason").unwrap_or("review"), MAX_REASON)?;
    let stored = find(&app, alert_id(&id)?).await?;
    let jpeg = picture(&app, &stored).await?;
    let what = if app.settings.people_pixelated { "snapshot, people pixelated" } else { "snapshot" }.to_owned();
    let (alert, at) = (stored.alert.id, (app.parts.clock)());
    let look = EvidenceLook { alert, at, who, peer: client.to_string(), reason, what };
    with_store(&app, move |store| store.record_look(&look)).await?;
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

/// The access log of an alert's evidence, newest first
#[utoipa::path(get, path = "/api/v1/alerts/{id}/looks", tag = "alerts", operation_id = "listLooks",
    params(("id" = String, Path, description = "The alert's id (UUID)"), LooksQuery),
    responses(
        (status = 200, description = "A page of the accesses", body = LookList),
        (status = 400, description = "Not an alert id, or a parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn looks(
    State(app): State<App>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Json<LookList>, Problem> {
    let params = Params::read(query.as_deref(), &["limit", "before"])?;
    let id = alert_id(&id)?;
    let limit = params.parse::<u32>("limit", ApiRule::number("a number from 1 to 1000"))?.unwrap_or(MOST_LOOKS);
    if !(1..=MOST_LOOKS).contains(&limit) {
        return Err(Problem::parameter("limit", limit, ApiRule::Page { most: MOST_LOOKS }));
    }
    let before = params.parse::<u64>("before", |reason| ApiRule::Cursor { reason })?;
    // Accesses outlive their alert, so the alert need not exist.
    let page = with_store(&app, move |store| store.looks_before(id, before, limit)).await?;
    let looks = page.looks.into_iter().map(|look| LookJson {
        at: look.at.to_string(),
        by: look.who,
        peer: look.peer,
        reason: look.reason,
        what: look.what,
    });
    Ok(Json(LookList { looks: looks.collect(), next: page.next.map(|next| next.to_string()) }))
}
