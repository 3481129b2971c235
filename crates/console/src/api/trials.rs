//! What questions about drafts have in common: cameras, a time, an answer in lines, and why there is none.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use utoipa::IntoParams;
use vedette_core::{CameraId, PolicyScope, Timestamp};
use vedette_tuning::{Term, Window};

use super::within::{require_camera, require_scope};
use super::{Shared, camera_id};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::problem::{Problem, ProblemKind};
use crate::tuning::{Arriving, NotTried, TrialCameras, TuningSource};

/// Lines of JSON.
const LINES: &str = "application/x-ndjson";
/// Most cameras that a question names.
const MOST_CAMERAS: usize = 100;

/// A span of capture time.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters; `window_of` reads them")]
pub(crate) struct SpanQuery {
    /// From this capture time on.
    #[param(format = DateTime)]
    from: String,
    /// Before this capture time.
    #[param(format = DateTime)]
    until: String,
}

pub(super) fn tuning(app: &Shared) -> Result<&Arc<dyn TuningSource>, Problem> {
    app.parts.tuning.as_ref().ok_or_else(|| Problem::new(ProblemKind::BUSY, ApiRule::NoTuning))
}

pub(super) fn term(name: &str) -> Result<Term, Problem> {
    name.parse().map_err(|error: <Term as std::str::FromStr>::Err| {
        Problem::parameter("term", name, ApiRule::Field { reason: error.to_string() })
    })
}

pub(super) fn instant(name: &str, text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|error: <Timestamp as std::str::FromStr>::Err| {
        Problem::parameter(name, text, ApiRule::Instant { reason: error.to_string() })
    })
}

pub(super) fn window(from: Timestamp, until: Timestamp) -> Result<Window, Problem> {
    if from >= until {
        return Err(Problem::parameter("until", until, ApiRule::Until { from }));
    }
    Ok(Window { from: Some(from), until: Some(until) })
}

pub(super) fn window_of(query: Option<&str>) -> Result<Window, Problem> {
    let params = Params::read(query, &["from", "until"])?;
    let read = |name| {
        let at = params.parse::<Timestamp>(name, |reason| ApiRule::Instant { reason })?;
        at.ok_or_else(|| Problem::parameter(name, "", ApiRule::Missing))
    };
    window(read("from")?, read("until")?)
}

pub(super) fn window_between(from: &str, until: &str) -> Result<Window, Problem> {
    window(instant("from", from)?, instant("until", until)?)
}

/// The cameras that are named, or else those of the scopes.
pub(super) fn cameras_of(
    app: &Shared,
    allowed: &Allowed,
    named: &[String],
    scopes: Vec<PolicyScope>,
) -> Result<TrialCameras, Problem> {
    if named.len() > MOST_CAMERAS || (named.is_empty() && scopes.is_empty()) {
        let rule = ApiRule::CamerasNamed { most: MOST_CAMERAS };
        return Err(Problem::parameter("cameras", format!("{} of them", named.len()), rule));
    }
    if named.is_empty() {
        let scopes = scopes.into_iter().map(|scope| require_scope(app, allowed, scope)).collect::<Result<_, _>>()?;
        return Ok(TrialCameras::Of(scopes));
    }
    let mut cameras: Vec<CameraId> = Vec::new();
    for text in named {
        let camera = require_camera(app, allowed, camera_id("cameras", text)?)?;
        if cameras.contains(&camera) {
            return Err(Problem::parameter("cameras", text, ApiRule::GivenTwice));
        }
        cameras.push(camera);
    }
    Ok(TrialCameras::Named(cameras))
}

pub(super) fn text_line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

/// An answer of lines, as they arrive.
pub(super) fn lines<T: Send + 'static>(answer: Arriving<T>, line: fn(T) -> Vec<u8>) -> Response {
    let Arriving { first, parts, guard } = answer;
    let rest = futures::stream::unfold((parts, guard), move |(mut parts, guard)| async move {
        let text = match parts.recv().await? {
            Ok(part) => line(part),
            Err(why) => text_line(&json!({"failed": Problem::from(why)})),
        };
        Some((Ok::<_, Infallible>(text), (parts, guard)))
    });
    let first = futures::stream::iter(first.map(move |part| Ok(line(part))));
    let body = Body::from_stream(futures::StreamExt::chain(first, rest));
    ([(header::CONTENT_TYPE, LINES), (header::CACHE_CONTROL, "no-store")], body).into_response()
}

impl From<NotTried> for Problem {
    fn from(why: NotTried) -> Self {
        match why {
            NotTried::Busy | NotTried::GivenUp => Self::new(ProblemKind::BUSY, ApiRule::TooManyTrials),
            NotTried::NoCamera(id) => Self::new(ProblemKind::NOT_FOUND, ApiRule::NoCamera { id }),
            NotTried::NoDetections(reason) => Self::new(ProblemKind::GONE, ApiRule::NoDetections { reason }),
            NotTried::Refused(refusals) => {
                Self::new(ProblemKind::REFUSED, ApiRule::DraftRefused).with_refusals(refusals, 0)
            }
            NotTried::Question(reason) => Self::new(ProblemKind::BODY, ApiRule::Question { reason }),
            NotTried::Store(error) => error.into(),
            NotTried::Failed(error) => Self::internal("trying it on what was detected", &*error),
        }
    }
}
