//! Accesses to evidence and live pictures: who, from where, why. They are recorded before a picture is sent.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use vedette_access::AuditEntry;
use vedette_alert_store::{EvidenceLook, Looked};
use vedette_core::text_violation;

use super::{App, Shared, alert_id, camera_id, with_store};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson};

const MAX_WHO: usize = 64;
const MAX_REASON: usize = 200;
const MOST_LOOKS: u32 = 1000;

/// The parameters of [`LookQuery`].
pub(super) const LOOK: &[&str] = &["by", "reason"];

/// The person who views the evidence, and the purpose.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters; `Viewer` reads them")]
pub(crate) struct LookQuery {
    /// The name of the viewer while there are no accounts, at most 64 characters.
    by: Option<String>,
    /// The purpose, at most 200 characters; `review` when absent, unless the site asks for reasons.
    reason: Option<String>,
}

/// An access to the evidence of an alert.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LookJson {
    /// The time, by the server's clock.
    #[schema(format = DateTime)]
    at: String,
    /// The viewer: an account, `token:NAME`, or `local` while there were no accounts.
    by: String,
    /// The network address of the viewer.
    peer: String,
    /// The purpose.
    reason: String,
    /// The kind of evidence; with the name that `local` gave.
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

/// The person who views a picture.
pub(super) struct Viewer {
    allowed: Allowed,
    /// The name that is given while there are no accounts.
    name: Option<String>,
    reason: String,
}

impl Viewer {
    /// Reads [`LookQuery`].
    pub(super) fn read(app: &Shared, params: &Params, allowed: &Allowed) -> Result<Self, Problem> {
        let name = params.text("by").map(|name| short_text("by", name, MAX_WHO)).transpose()?;
        allowed.name(name.as_deref())?;
        let reason = match params.text("reason") {
            None if app.settings.access.reasons => return Err(Problem::parameter("reason", "", ApiRule::NoReason)),
            given => short_text("reason", given.unwrap_or("review"), MAX_REASON)?,
        };
        Ok(Self { allowed: allowed.clone(), name, reason })
    }

    /// Records the access; without a record nothing may be sent.
    pub(super) async fn record(self, app: &Shared, of: Looked, what: &str) -> Result<(), Problem> {
        let pixelated = if app.settings.people_pixelated { ", people pixelated" } else { "" };
        let under = self.name.map(|name| format!(", as {name}")).unwrap_or_default();
        let what = format!("{what}{pixelated}{under}");
        let AuditEntry { at, who, role, session, peer, .. } =
            self.allowed.entry((app.parts.clock)(), "", String::new());
        let look = EvidenceLook { of, at, who, role, session, peer, reason: self.reason, what };
        with_store(app, move |store| store.record_look(&look)).await
    }
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
    // Accesses outlive their alert, so the alert need not exist.
    page(&app, query.as_deref(), Looked::Alert(alert_id(&id)?)).await
}

/// The access log of a camera's live pictures, newest first
#[utoipa::path(get, path = "/api/v1/cameras/{id}/looks", tag = "map", operation_id = "listCameraLooks",
    params(("id" = String, Path, description = "The camera's id"), LooksQuery),
    responses(
        (status = 200, description = "A page of the accesses", body = LookList),
        (status = 400, description = "Not a camera id, or a parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn of_camera(
    State(app): State<App>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<Json<LookList>, Problem> {
    page(&app, query.as_deref(), Looked::Camera(camera_id("id", &id)?)).await
}

async fn page(app: &Shared, query: Option<&str>, of: Looked) -> Result<Json<LookList>, Problem> {
    let params = Params::read(query, &["limit", "before"])?;
    let limit = params.parse::<u32>("limit", ApiRule::number("a number from 1 to 1000"))?.unwrap_or(MOST_LOOKS);
    if !(1..=MOST_LOOKS).contains(&limit) {
        return Err(Problem::parameter("limit", limit, ApiRule::Page { most: MOST_LOOKS }));
    }
    let before = params.parse::<u64>("before", |reason| ApiRule::Cursor { reason })?;
    let page = with_store(app, move |store| store.looks_before(&of, before, limit)).await?;
    let looks = page.looks.into_iter().map(|look| LookJson {
        at: look.at.to_string(),
        by: look.who,
        peer: look.peer,
        reason: look.reason,
        what: look.what,
    });
    Ok(Json(LookList { looks: looks.collect(), next: page.next.map(|next| next.to_string()) }))
}
