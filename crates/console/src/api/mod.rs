mod addresses;
mod alerts;
mod evidence;
mod map;
mod operations;
mod rule_kinds;
mod stream;
mod verdict;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vedette_alert_store::{AlertStore, StoreError};
use vedette_alerts::StoredAlert;
use vedette_core::AlertId;

use crate::api_rule::ApiRule;
use crate::feed::Feed;
use crate::problem::{Problem, ProblemKind};
use crate::{ConsoleParts, ConsoleSettings, metrics, page, security};

/// Most bytes of a request's body.
const MAX_BODY: usize = 16 * 1024;

/// Shared state of the handlers.
struct Shared {
    settings: ConsoleSettings,
    parts: ConsoleParts,
    feed: Feed,
    stop: CancellationToken,
    streams: Arc<Semaphore>,
    snapshots: Semaphore,
    description: OnceLock<String>,
}

type App = Arc<Shared>;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Vedette",
        description = "Geo-tagged alerts with standard addresses, live and stored, with their evidence and verdicts. \
            Times are RFC 3339; units stand in field names; GeoJSON has longitude first. Errors are \
            `application/problem+json` (RFC 9457) and name the parameter, its value, the rule and the fix. Unknown \
            parameters are refused. There is no login: put one in front before you open it to a network."
    ),
    tags(
        (name = "alerts", description = "Alerts, their places and verdicts"),
        (name = "map", description = "Buildings, grids, roads and cameras"),
        (name = "addresses", description = "The address base: codes, texts and points, and the version in force"),
        (name = "rules", description = "The rule kinds: their parameters, units and codes in other standards"),
        (name = "operations", description = "Health, frame accounting, metrics and this description"),
    )
)]
struct Description;

/// All routes.
pub(crate) fn router(settings: ConsoleSettings, parts: ConsoleParts, feed: Feed, stop: CancellationToken) -> Router {
    let app = Arc::new(Shared {
        streams: Arc::new(Semaphore::new(settings.max_streams)),
        snapshots: Semaphore::new(settings.snapshots_at_once.max(1)),
        settings,
        parts,
        feed,
        stop,
        description: OnceLock::new(),
    });
    let (api, description) = described().with_state(app.clone()).split_for_parts();
    tokio::spawn(operations::keep_gauges(app.clone()));
    app.description.get_or_init(|| description.to_json().expect("a description made of texts only"));
    api.route("/", get(page::index))
        .route("/assets/{*path}", get(page::asset))
        .fallback(async || Problem::new(ProblemKind::NOT_FOUND, ApiRule::NoPath))
        .method_not_allowed_fallback(async || Problem::new(ProblemKind::METHOD, ApiRule::Method))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(CompressionLayer::new())
        .layer(from_fn(measure))
        .layer(from_fn(security::headers))
}

fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(alerts::list))
        .routes(routes!(stream::stream))
        .routes(routes!(alerts::get))
        .routes(routes!(evidence::snapshot))
        .routes(routes!(evidence::looks))
        .routes(routes!(verdict::set))
        .routes(routes!(map::cameras))
        .routes(routes!(map::footprints))
        .routes(routes!(map::grids))
        .routes(routes!(map::roads))
        .routes(routes!(addresses::find))
        .routes(routes!(addresses::base))
        .routes(routes!(addresses::get))
        .routes(routes!(rule_kinds::list))
        .routes(routes!(operations::openapi))
        .routes(routes!(operations::healthz))
        .routes(routes!(operations::readyz))
        .routes(routes!(operations::frames))
        .routes(routes!(operations::metrics))
}

/// Runs `work` on the store off the async threads.
async fn with_store<T: Send + 'static>(
    app: &Shared,
    work: impl FnOnce(&AlertStore) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    let store = app.parts.store.clone();
    match tokio::task::spawn_blocking(move || work(&store)).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(Problem::internal("reading or writing the alert store", &error)),
    }
}

fn alert_id(text: &str) -> Result<AlertId, Problem> {
    text.parse().map_err(|reason| Problem::parameter("id", text, ApiRule::Alert { reason }))
}

async fn find(app: &Shared, id: AlertId) -> Result<StoredAlert, Problem> {
    with_store(app, move |store| store.get(id)?.ok_or(StoreError::UnknownAlert(id))).await
}

/// Counts requests by route and status. The duration ends with the response headers, so a live stream counts once, when it opens.
async fn measure(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", |path| path.as_str()).to_owned();
    let began = std::time::Instant::now();
    let response = next.run(request).await.into_response();
    let status = response.status().as_u16().to_string();
    metrics::REQUESTS.with([route.clone(), status]).increment(1);
    metrics::REQUEST_SECONDS.with([route]).record(began.elapsed().as_secs_f64());
    response
}
