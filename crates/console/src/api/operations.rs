use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use tokio::time::MissedTickBehavior;
use utoipa::IntoParams;
use vedette_access::{Areas, Permission};

use super::within::{require_camera, require_everywhere};
use super::{App, camera_id, with_store};
use crate::api_rule::ApiRule;
use crate::guard::{Allowed, Known};
use crate::params::Params;
use crate::problem::{Problem, ProblemJson, ProblemKind};
use crate::{FrameReport, HealthReport, metrics};

/// How often the gauges of the store are set without a scrape.
const GAUGES_EVERY: Duration = Duration::from_secs(15);

/// Liveness of the process
///
/// Status 200 as long as it answers and its store can be read, whatever the state of its stages: a supervisor restarts the process
/// when this fails. An unreachable database server does not fail it, since no restart would help; the report names it.
#[utoipa::path(get, path = "/healthz", tag = "operations", operation_id = "health",
    responses(
        (status = 200, description = "The process is alive", body = HealthReport),
        (status = 500, description = "The store cannot be read", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn healthz(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    RawQuery(query): RawQuery,
) -> Result<Json<HealthReport>, Problem> {
    Params::read(query.as_deref(), &[])?;
    with_store(&app, |store| match store.last_change() {
        Err(error) if !error.is_unreachable() => Err(error),
        _ => Ok(()),
    })
    .await?;
    Ok(Json(shown(app.parts.health.health(), &known)))
}

/// The report as far as a caller may see it: the texts name cameras.
fn shown(mut report: HealthReport, Known(caller): &Known) -> HealthReport {
    let sees_all =
        |permission| caller.as_ref().is_some_and(|caller| caller.areas(permission) == Some(Areas::Everywhere));
    if !sees_all(Permission::Operate) && !sees_all(Permission::SeeAlerts) {
        report.stages.values_mut().for_each(|stage| stage.detail.clear());
    }
    report
}

/// Readiness: whether every stage works
#[utoipa::path(get, path = "/readyz", tag = "operations", operation_id = "ready",
    responses(
        (status = 200, description = "Every stage works", body = HealthReport),
        (status = 503, description = "Some stage does not", body = HealthReport),
    ))]
pub(crate) async fn readyz(
    State(app): State<App>,
    Extension(known): Extension<Known>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    Params::read(query.as_deref(), &[])?;
    let report = shown(app.parts.health.health(), &known);
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(report)))
}

/// Which frames.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameter; `frames` reads it")]
pub(crate) struct FramesQuery {
    /// Id of a camera; all cameras when absent.
    camera: Option<String>,
}

/// Frame accounting: each frame was analysed, or shed for one reason
///
/// Counted since a camera was first seen, across restarts and moves between workers; checkpointed every `analyse.save_every`.
#[utoipa::path(get, path = "/api/v1/frames", tag = "operations", operation_id = "getFrames", params(FramesQuery),
    responses(
        (status = 200, description = "The counts", body = FrameReport),
        (status = 404, description = "No frame of that camera was counted", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn frames(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
) -> Result<Json<FrameReport>, Problem> {
    let params = Params::read(query.as_deref(), &["camera"])?;
    match params.text("camera") {
        Some(camera) => drop(require_camera(&app, &allowed, camera_id("camera", camera)?)?),
        None => require_everywhere(&allowed, Permission::SeeAlerts)?,
    }
    let report = app.parts.frames.frames(params.text("camera"));
    report.map(Json).ok_or_else(|| Problem::new(ProblemKind::NOT_FOUND, ApiRule::NoFrames))
}

/// Metrics of this process (Prometheus text format)
#[utoipa::path(get, path = "/metrics", tag = "operations", operation_id = "metrics",
    responses((status = 200, description = "The metrics", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    refresh(&app).await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], app.parts.metrics.render())
}

/// Keeps the gauges of the store current until the console stops: the process may be scraped at another port.
pub(crate) async fn keep_gauges(app: App) {
    let mut tick = tokio::time::interval(GAUGES_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while app.stop.run_until_cancelled(tick.tick()).await.is_some() {
        refresh(&app).await;
    }
}

/// Sets the gauges of what the store holds and of the frames' fates.
async fn refresh(app: &App) {
    if let Ok(counts) = with_store(app, |store| store.counts(&Areas::Everywhere)).await {
        for (held, count) in [
            ("alerts", counts.alerts),
            ("events", counts.events),
            ("open", counts.open),
            ("unreviewed", counts.unreviewed),
            ("snapshots", counts.snapshots),
            ("clips", counts.clips),
        ] {
            metrics::STORED.with([held]).set(count as f64);
        }
        metrics::CONFLICTS.get().absolute(counts.conflicts);
    }
    if let Some(report) = app.parts.frames.frames(None) {
        metrics::FRAMES.with(["analysed"]).set(report.analysed as f64);
        for (reason, frames) in report.shed {
            metrics::FRAMES.with([reason]).set(frames as f64);
        }
    }
}

/// This description (OpenAPI 3.1)
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "operations", operation_id = "describe",
    responses((status = 200, description = "The description", body = Object)))]
pub(crate) async fn openapi(State(app): State<App>, RawQuery(query): RawQuery) -> Result<impl IntoResponse, Problem> {
    Params::read(query.as_deref(), &[])?;
    let text = app.description.get().cloned().unwrap_or_default();
    Ok(([(header::CONTENT_TYPE, "application/json")], text))
}
