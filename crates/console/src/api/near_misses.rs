//! Near-misses: episodes that almost raised an alert.

use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use vedette_alert_store::{NearMissFilter, StoredNearMiss};
use vedette_alerts::json::BoxJson;
use vedette_core::{NearestFrame, Span, Timestamp};

use super::alerts::kinds;
use super::{App, with_store};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::problem::{Problem, ProblemJson};

/// The query of the list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters; `filter` reads them")]
pub(crate) struct NearMissQuery {
    /// A camera's id.
    camera: Option<String>,
    /// A rule's id.
    rule: Option<String>,
    /// The rule kind: one of `/api/v1/rule-kinds`.
    kind: Option<String>,
    /// The requirement that was missed.
    #[param(example = "duration")]
    term: Option<String>,
    /// Ended at or after this time, RFC 3339.
    from: Option<String>,
    /// Ended before this time, RFC 3339.
    until: Option<String>,
    /// Most near-misses, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Continue after a page: the value of its `next`.
    before: Option<String>,
}

/// A page of near-misses, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NearMissList {
    /// By the time at which they ended.
    near_misses: Vec<NearMissJson>,
    /// Pass it as `before` for the next page; null on the last one.
    #[schema(required = true)]
    next: Option<String>,
}

/// An episode that almost raised an alert: it met every requirement of a rule but one.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "NearMiss")]
pub(crate) struct NearMissJson {
    /// Identity (UUID). The same camera, rule, requirement, subject and times always give the same one.
    #[schema(format = "uuid")]
    id: String,
    /// The camera's id.
    camera: String,
    /// The rule's id.
    rule: String,
    /// The rule kind.
    #[schema(example = "dwell")]
    kind: String,
    /// The version of the policy.
    policy_version: u32,
    /// Number of the object's track within the camera's stream; null when it is about no single object. It does not identify a person
    /// or a vehicle.
    #[schema(required = true)]
    track: Option<u64>,
    /// Capture time at which it began.
    #[schema(format = DateTime)]
    started: String,
    /// Capture time at which it ended.
    #[schema(format = DateTime)]
    ended: String,
    /// The requirement that was missed.
    #[schema(example = "duration")]
    term: String,
    /// The value that came nearest.
    value: f64,
    /// The required value.
    threshold: f64,
    /// How far they are apart, in the unit of `term`.
    distance: f64,
    /// Its place.
    place: PixelPlaceJson,
    /// The object in the frame in which it came nearest to an alert; null when it is about no single object, when the object was not seen
    /// then, and in records of releases without it.
    #[schema(required = true)]
    nearest: Option<NearestJson>,
    /// Path of a picture of that frame on this server, with people pixelated unless the site is configured otherwise; null when there is
    /// none: `no_picture` says why.
    #[schema(required = true)]
    picture: Option<String>,
    /// Until when the video that the picture is made from is kept; a full bus (`bus.keep_video_bytes`) may end it earlier. Null without
    /// `picture`.
    #[schema(format = DateTime, required = true)]
    picture_until: Option<String>,
    /// Why there is no picture; null otherwise.
    #[schema(required = true)]
    no_picture: Option<NoPictureJson>,
}

/// A place in pixels of the frame that the policy is drawn on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "PixelPlace")]
pub(crate) struct PixelPlaceJson {
    /// Pixels from the left edge.
    x_px: f32,
    /// Pixels from the top edge.
    y_px: f32,
    /// Width of that frame in pixels.
    frame_width_px: u32,
    /// Height of that frame in pixels.
    frame_height_px: u32,
}

/// An object in one frame.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "NearestFrame")]
pub(crate) struct NearestJson {
    /// The stream session: microseconds since the Unix epoch at which the camera was connected.
    epoch: u64,
    /// Number of the frame in its session.
    sequence: u64,
    /// Its capture time.
    #[schema(format = DateTime)]
    captured: String,
    /// Its width in pixels.
    frame_width_px: u32,
    /// Its height in pixels.
    frame_height_px: u32,
    /// The object's box in it.
    box_px: BoxJson,
}

/// Why a near-miss has no picture: `no_frame`, it refers to no frame; `no_video`, the frame's video was never on this bus; `expired`,
/// that is no longer kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(title = "NoNearMissPicture")]
#[serde(rename_all = "snake_case")]
pub(crate) enum NoPictureJson {
    NoFrame,
    NoVideo,
    Expired,
}

/// Near-misses, newest first
///
/// A near-miss met every requirement of a rule but one, and came close to that. The store keeps them for `console.near_misses.keep` (seven
/// days unless configured otherwise), and at most so many of each camera. They are a sample: one of each rule and requirement in ten
/// seconds.
#[utoipa::path(get, path = "/api/v1/near-misses", tag = "tuning", operation_id = "listNearMisses", params(NearMissQuery),
    responses(
        (status = 200, description = "A page", body = NearMissList),
        (status = 400, description = "A parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn list(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
) -> Result<Json<NearMissList>, Problem> {
    let filter = filter(query.as_deref())?;
    let page = with_store(&app, move |store| store.list_near_misses(&filter, &allowed.areas)).await?;
    let now = (app.parts.clock)();
    let json = |stored: &StoredNearMiss| {
        let picture =
            picture(stored, app.parts.keep_video, now).map(|(path, until)| (app.settings.base_path.join(&path), until));
        NearMissJson::new(stored, picture)
    };
    Ok(Json(NearMissList {
        near_misses: page.near_misses.iter().map(json).collect(),
        next: page.next.map(|cursor| cursor.to_string()),
    }))
}

fn filter(query: Option<&str>) -> Result<NearMissFilter, Problem> {
    let params = Params::read(query, &["camera", "rule", "kind", "term", "from", "until", "limit", "before"])?;
    let (from, until) = params.times()?;
    Ok(NearMissFilter {
        camera: params.parse("camera", |reason| ApiRule::Camera { reason })?,
        rule: params.parse("rule", |reason| ApiRule::Rule { reason })?,
        kind: params.word("kind", &kinds())?,
        term: params.parse("term", |reason| ApiRule::Term { reason })?,
        from,
        until,
        limit: params.page_limit()?,
        before: params.parse("before", |reason| ApiRule::Cursor { reason })?,
    })
}

/// The path of the picture, and until when its video is kept.
fn picture(stored: &StoredNearMiss, keep: Span, now: Timestamp) -> Result<(String, Timestamp), NoPictureJson> {
    let NearestFrame { at, video, .. } = stored.of.miss.nearest.ok_or(NoPictureJson::NoFrame)?;
    video.ok_or(NoPictureJson::NoVideo)?;
    let until = at.captured + keep;
    if until <= now {
        return Err(NoPictureJson::Expired);
    }
    Ok((format!("/api/v1/cameras/{}/still?at={}", stored.of.camera, at.captured), until))
}

impl NearMissJson {
    fn new(stored: &StoredNearMiss, picture: Result<(String, Timestamp), NoPictureJson>) -> Self {
        let (miss, frame) = (&stored.of.miss, stored.of.frame);
        let (picture, until, no_picture) = match picture {
            Ok((path, until)) => (Some(path), Some(until.to_string()), None),
            Err(reason) => (None, None, Some(reason)),
        };
        Self {
            id: stored.id.to_string(),
            camera: stored.of.camera.to_string(),
            rule: miss.rule.to_string(),
            kind: miss.kind.to_string(),
            policy_version: miss.policy_version,
            track: miss.subject.map(|track| track.0),
            started: miss.started.to_string(),
            ended: miss.ended.to_string(),
            term: miss.term.to_string(),
            value: miss.value,
            threshold: miss.threshold,
            distance: (miss.value - miss.threshold).abs(),
            place: PixelPlaceJson {
                x_px: miss.place.x,
                y_px: miss.place.y,
                frame_width_px: frame.width,
                frame_height_px: frame.height,
            },
            nearest: miss.nearest.map(NearestJson::from),
            picture,
            picture_until: until,
            no_picture,
        }
    }
}

impl From<NearestFrame> for NearestJson {
    fn from(NearestFrame { at, frame, bbox, .. }: NearestFrame) -> Self {
        Self {
            epoch: at.epoch,
            sequence: at.sequence,
            captured: at.captured.to_string(),
            frame_width_px: frame.width,
            frame_height_px: frame.height,
            box_px: bbox.into(),
        }
    }
}
