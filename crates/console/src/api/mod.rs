mod accounts;
mod addresses;
mod alerts;
mod audit;
mod byte_range;
mod camera_pictures;
mod cameras;
mod changes;
mod common_answers;
mod detections;
mod differences;
mod draft_text;
mod drafts;
mod evidence;
mod explain;
mod logins;
mod looks;
mod map;
mod near_miss_histogram;
mod near_misses;
mod operations;
mod passwords;
mod policies;
mod policy_apply;
mod policy_check;
mod proposals;
mod rule_kinds;
mod session;
mod sign_on;
mod stream;
mod thresholds;
mod tokens;
mod trials;
mod used_draft;
mod verdict;
mod what_if;
mod within;

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::de::DeserializeOwned;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use utoipa::OpenApi;
use utoipa::openapi::Server;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use vedette_alert_store::{AlertStore, StoreError};
use vedette_alerts::StoredAlert;
use vedette_core::{AlertId, CameraId};

use crate::api_rule::ApiRule;
use crate::base_path::{BasePath, NoSlash};
use crate::feed::Feed;
use crate::gate::{self, Gate};
use crate::guard::{self, Allowed, Callers, Guard, PasswordLogin, SignOn};
use crate::problem::{Problem, ProblemKind};
use crate::refusals::Refusals;
use crate::stream_places::StreamPlaces;
use crate::{ConsoleParts, ConsoleSettings, metrics, page, security};

/// Shared state of the handlers.
struct Shared {
    settings: ConsoleSettings,
    parts: ConsoleParts,
    feed: Feed,
    stop: CancellationToken,
    streams: StreamPlaces,
    refusals: Arc<Refusals>,
    snapshots: Semaphore,
    guard: Arc<Guard>,
    password_login: PasswordLogin,
    sign_on: Option<SignOn>,
    description: OnceLock<String>,
}

type App = Arc<Shared>;

use looks::short_text;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Vedette",
        description = "Geo-tagged alerts with standard addresses, live and stored, with their evidence and verdicts. \
            Times are RFC 3339; units stand in field names; GeoJSON has longitude first. Errors are \
            `application/problem+json` (RFC 9457) and name the parameter, its value, the rule and the fix. Unknown \
            parameters are refused. A person has a session (cookie), a machine a token (`Authorization: Bearer`); while there are no \
            accounts, programs of the console's own machine are served. docs/ACCESS.md describes roles and areas."
    ),
    tags(
        (name = "alerts", description = "Alerts, their places and verdicts"),
        (name = "map", description = "Buildings, grids, roads and cameras, with their live pictures"),
        (name = "addresses", description = "The address base: codes, texts and points, and the version in force"),
        (name = "rules", description = "The rule kinds: their parameters, units and codes in other standards"),
        (name = "configuration", description = "Policies and cameras: versions, changes while the product runs"),
        (name = "tuning", description = "Near-misses, and drafts of policies, tried on what was detected"),
        (name = "access", description = "Sessions, accounts, tokens and the audit log"),
        (name = "operations", description = "Health, frame accounting, metrics and this description"),
    )
)]
struct Description;

/// All routes.
pub(crate) fn router(
    settings: ConsoleSettings,
    parts: ConsoleParts,
    feed: Feed,
    refusals: Arc<Refusals>,
    stop: CancellationToken,
) -> Router {
    let gate = Arc::new(Gate { settings: settings.clone(), refusals: refusals.clone(), turns: Arc::default() });
    let base = settings.base_path.clone();
    let guard = Arc::new(Guard::new(Callers::new(parts.store.clone(), settings.access, parts.clock)));
    let app = Arc::new(Shared {
        streams: StreamPlaces::new(settings.limits.streams, settings.limits.streams_per_client),
        refusals: refusals.clone(),
        snapshots: Semaphore::new(settings.snapshots_at_once.max(1)),
        guard: guard.clone(),
        password_login: PasswordLogin::new(settings.access),
        sign_on: parts.single_sign_on.clone().map(|provider| SignOn::new(provider, settings.access)),
        settings,
        parts,
        feed,
        stop,
        description: OnceLock::new(),
    });
    let (api, mut description) = described().with_state(app.clone()).split_for_parts();
    common_answers::describe(&mut description);
    if base != BasePath::ROOT {
        description.servers = Some(vec![Server::new(base.to_string())]);
    }
    tokio::spawn(operations::keep_gauges(app.clone()));
    app.description.get_or_init(|| description.to_json().expect("a description made of texts only"));
    let index = move |request: Request| async move {
        match request.extensions().get::<NoSlash>() {
            Some(NoSlash) => page::to_slash(&base),
            None => page::index(request.headers(), &base),
        }
    };
    api.route_layer(from_fn_with_state(guard, guard::check))
        .route("/", get(index))
        .route("/assets/{*path}", get(page::asset))
        .fallback(gate::no_path)
        .method_not_allowed_fallback(gate::other_method)
        .layer(
            CompressionLayer::new().compress_when(
                DefaultPredicate::new()
                    .and(NotForContentType::const_new("video/"))
                    // Lines are sent as they are made, and not when a buffer is full.
                    .and(NotForContentType::const_new("application/x-ndjson")),
            ),
        )
        .layer(from_fn_with_state(gate, gate::pass))
        .layer(from_fn(measure))
        .layer(from_fn(security::headers))
}

fn described() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(alerts::list))
        .routes(routes!(stream::stream))
        .routes(routes!(alerts::get))
        .routes(routes!(evidence::snapshot))
        .routes(routes!(evidence::clip))
        .routes(routes!(looks::looks))
        .routes(routes!(verdict::set))
        .routes(routes!(map::cameras))
        .routes(routes!(camera_pictures::glance))
        .routes(routes!(camera_pictures::still))
        .routes(routes!(looks::of_camera))
        .routes(routes!(map::footprints))
        .routes(routes!(map::grids))
        .routes(routes!(map::roads))
        .routes(routes!(addresses::find))
        .routes(routes!(addresses::base))
        .routes(routes!(addresses::get))
        .routes(routes!(near_misses::list))
        .routes(routes!(near_miss_histogram::histogram))
        .routes(routes!(rule_kinds::list))
        .routes(routes!(cameras::get))
        .routes(routes!(cameras::history))
        .routes(routes!(cameras::apply))
        .routes(routes!(policies::list))
        .routes(routes!(policies::get))
        .routes(routes!(policies::history))
        .routes(routes!(drafts::get, drafts::put, drafts::remove))
        .routes(routes!(policy_check::check))
        .routes(routes!(policy_apply::apply))
        .routes(routes!(policies::roll_back))
        .routes(routes!(policies::pause))
        .routes(routes!(changes::apply, changes::list))
        .routes(routes!(passwords::reseal))
        .routes(routes!(what_if::what_if))
        .routes(routes!(thresholds::sweep))
        .routes(routes!(thresholds::suggest))
        .routes(routes!(thresholds::scores))
        .routes(routes!(explain::track))
        .routes(routes!(explain::alert))
        .routes(routes!(detections::detections))
        .routes(routes!(session::log_in, session::get, session::log_out))
        .routes(routes!(session::change_password))
        .routes(routes!(sign_on::ways))
        .routes(routes!(sign_on::begin))
        .routes(routes!(sign_on::answer))
        .routes(routes!(sign_on::provider_logout))
        .routes(routes!(accounts::list, accounts::add))
        .routes(routes!(accounts::change, accounts::remove))
        .routes(routes!(accounts::sessions))
        .routes(routes!(accounts::end_session))
        .routes(routes!(tokens::list, tokens::add))
        .routes(routes!(tokens::revoke))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
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

/// The body of a request, as JSON.
fn body<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    require_json(headers)?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader);
    let read = read.map_err(|error| {
        Problem::parameter(&error.path().to_string(), "", ApiRule::Field { reason: error.into_inner().to_string() })
    })?;
    reader.end().map_err(|error| Problem::new(ProblemKind::BODY, ApiRule::NotJson { reason: error.to_string() }))?;
    Ok(read)
}

/// Another site's form cannot send this type without a CORS preflight, whose answer here allows nothing.
fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    require_type(headers, "application/json", |given| ApiRule::ContentType { given })
}

fn require_type(headers: &HeaderMap, wanted: &str, rule: impl FnOnce(String) -> ApiRule) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::CONTENT_TYPE, rule(essence.chars().take(80).collect())))
}

fn alert_id(text: &str) -> Result<AlertId, Problem> {
    text.parse().map_err(|reason| Problem::parameter("id", text, ApiRule::Alert { reason }))
}

/// A camera's id, of the parameter `name`.
fn camera_id(name: &str, text: &str) -> Result<CameraId, Problem> {
    CameraId::new(text).map_err(|error| Problem::parameter(name, text, ApiRule::Camera { reason: error.to_string() }))
}

/// An alert inside of the caller's areas.
async fn find(app: &Shared, allowed: &Allowed, id: AlertId) -> Result<StoredAlert, Problem> {
    let areas = allowed.areas.clone();
    with_store(app, move |store| store.get(id, &areas)?.ok_or(StoreError::UnknownAlert(id))).await
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
