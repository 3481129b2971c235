//! Drafts of policies: kept by the console, one of each scope and person, so that what was tried is what is applied.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use vedette_access::Via;
use vedette_alert_store::{DRAFTS_KEPT, DraftForm, DraftWritten, NewDraft, StoredDraft};
use vedette_core::{LARGEST_CHANGE, PolicyScope, Timestamp};

use super::differences::{Difference, differences};
use super::draft_text::DraftText;
use super::policies::scope;
use super::proposals::{scope_text, tag, version_of};
use super::used_draft::{came_first, draft_tag, key, no_draft, number_of, stored, text_of};
use super::within::{require_known_scope, require_scope};
use super::{App, Shared, body, with_store};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::problem::{Problem, ProblemJson, ProblemKind};

/// The type of a body that is the text of a policy file.
const TOML: &str = "application/toml";
/// Differences that are named to somebody who was too late.
const MOST_NAMED: usize = 3;

/// The text of a draft. It may have mistakes: `check` tells them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DraftRequest {
    /// The rules, as they are applied. Give these or `toml`.
    #[serde(default)]
    #[schema(value_type = Object)]
    policy: Option<Value>,
    /// The same as in a policy file.
    #[serde(default)]
    toml: Option<String>,
    /// The `ETag` of the version of the policy that it changes. If absent, a new draft changes the newest, and an old one what it changed before.
    #[serde(default)]
    based_on: Option<String>,
}

/// A draft of a policy.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Draft")]
pub(crate) struct DraftJson {
    /// `camera/ID` or `group/NAME`.
    scope: String,
    /// The rules; null where the draft is TOML.
    #[schema(required = true, value_type = Option<Object>)]
    policy: Option<Value>,
    /// The same as in a policy file; null where the draft is JSON.
    #[schema(required = true)]
    toml: Option<String>,
    /// The `ETag` of the version of the policy that it changes; null where there was none.
    #[schema(required = true)]
    based_on: Option<String>,
    /// The number of that version; null where the policy was removed, or that version is not known any more.
    #[schema(required = true)]
    based_on_version: Option<u32>,
    /// Whether the policy has changed since: it has another newest version. Such a draft is not applied.
    policy_changed: bool,
    /// When it was begun.
    #[schema(format = DateTime)]
    made: String,
    /// When it was written last.
    #[schema(format = DateTime)]
    changed: String,
    /// Who wrote it last, in which session, from where.
    changed_by: String,
    /// When it is dropped if nobody uses it until then.
    #[schema(format = DateTime)]
    dropped: String,
}

/// A draft
///
/// That of the caller: each person has one of a policy. It is kept until nobody has used it for 30 days.
#[utoipa::path(get, path = "/api/v1/policies/{kind}/{name}/draft", tag = "configuration", operation_id = "getDraft",
    params(("kind" = String, Path, description = "`camera` or `group`"), ("name" = String, Path, description = "The camera's id or the group's name")),
    responses(
        (status = 200, description = "The draft", body = DraftJson, headers(("ETag" = String, description = "Its version"))),
        (status = 404, description = "No such policy, or no draft of it", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn get(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    Path((kind, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    Params::read(query.as_deref(), &[])?;
    let scope = require_scope(&app, &allowed, scope(&kind, &name)?)?;
    let draft = stored(&app, &key(&allowed, &scope)).await?.ok_or_else(|| no_draft(&scope))?;
    Ok(answer(&app, &scope, draft))
}

/// Write a draft
///
/// Nothing is put in force. It is written against the version that was seen, so that two editors, or two tabs of one, do not overwrite each
/// other unseen: the later one gets 412 and is told of the other's change. A person has at most 64 drafts.
#[utoipa::path(put, path = "/api/v1/policies/{kind}/{name}/draft", tag = "configuration", operation_id = "putDraft",
    params(("kind" = String, Path, description = "`camera` or `group`"), ("name" = String, Path, description = "The camera's id or the group's name"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` of the draft that was edited"),
        ("If-None-Match" = Option<String>, Header, description = "`*` for a new draft")),
    request_body(content((DraftRequest = "application/json"), (String = "application/toml"))),
    responses(
        (status = 200, description = "The draft", body = DraftJson, headers(("ETag" = String, description = "Its version"))),
        (status = 404, description = "No such policy", body = ProblemJson, content_type = "application/problem+json"),
        (status = 409, description = "The caller has too many drafts", body = ProblemJson, content_type = "application/problem+json"),
        (status = 412, description = "Another version came first", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is neither `application/json` nor `application/toml`", body = ProblemJson, content_type = "application/problem+json"),
        (status = 428, description = "The version that was seen is missing", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn put(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    Path((kind, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<impl IntoResponse, Problem> {
    Params::read(query.as_deref(), &[])?;
    let scope = require_known_scope(&app, &allowed, scope(&kind, &name)?)?;
    let DraftRequest { policy, toml, based_on } = request(&headers, &given)?;
    let seen = seen(&headers)?;
    let (form, content) = text_of(policy, toml).ok_or_else(|| Problem::new(ProblemKind::BODY, ApiRule::OneText))?;
    if content.len() > LARGEST_CHANGE {
        return Err(Problem::new(ProblemKind::TOO_LARGE, ApiRule::DraftTooLarge { most: LARGEST_CHANGE }));
    }
    if content.contains('\0') {
        return Err(Problem::parameter("toml", "", ApiRule::Control));
    }
    let key = key(&allowed, &scope);
    let based_on = match based_on {
        Some(tag) => Some(version_of("based_on", &tag)?),
        None => match stored(&app, &key).await? {
            Some(before) => before.based_on,
            None => app.parts.configuration.policy_versions(&scope).pop().map(|newest| newest.effective_from),
        },
    };
    let new = NewDraft { form, content, based_on, by: writer(&allowed) };
    let now = (app.parts.clock)();
    let (asked, kept) = (new.clone(), key);
    match with_store(&app, move |store| store.put_draft(&kept, &asked, seen, now)).await? {
        DraftWritten::Done(draft) => Ok(answer(&app, &scope, draft)),
        DraftWritten::Other(other) => {
            let differs = other.as_ref().map(|other| difference(&scope, other, &new)).unwrap_or_default();
            Err(came_first(&scope, other.as_ref(), &differs))
        }
    }
}

/// Remove a draft
#[utoipa::path(delete, path = "/api/v1/policies/{kind}/{name}/draft", tag = "configuration", operation_id = "removeDraft",
    params(("kind" = String, Path, description = "`camera` or `group`"), ("name" = String, Path, description = "The camera's id or the group's name"),
        ("If-Match" = String, Header, description = "The `ETag` of the draft that was seen")),
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "No such policy", body = ProblemJson, content_type = "application/problem+json"),
        (status = 412, description = "Another version came first", body = ProblemJson, content_type = "application/problem+json"),
        (status = 428, description = "The version that was seen is missing", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn remove(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    Path((kind, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    Params::read(query.as_deref(), &[])?;
    let scope = require_scope(&app, &allowed, scope(&kind, &name)?)?;
    let Some(seen) = seen(&headers)? else {
        return Err(Problem::parameter("If-None-Match", "*", ApiRule::DraftTag));
    };
    let key = key(&allowed, &scope);
    match with_store(&app, move |store| store.remove_draft(&key, seen)).await? {
        DraftWritten::Done(()) => Ok(StatusCode::NO_CONTENT),
        DraftWritten::Other(other) => Err(came_first(&scope, other.as_ref(), "")),
    }
}

/// The body: JSON, or the TOML alone. No form of another site can send either type.
fn request(headers: &HeaderMap, given: &[u8]) -> Result<DraftRequest, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(TOML) {
        return body(headers, given);
    }
    let text = std::str::from_utf8(given).map_err(|error| {
        Problem::new(ProblemKind::BODY, ApiRule::DraftSyntax { reason: format!("the text is no UTF-8: {error}") })
    })?;
    Ok(DraftRequest { policy: None, toml: Some(text.to_owned()), based_on: None })
}

/// The version that the caller has seen; none where it writes a new draft.
fn seen(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (Some(tag), None) => number_of("If-Match", &tag).map(Some),
        (None, Some(any)) if any.trim() == "*" => Ok(None),
        (None, Some(tag)) => Err(Problem::parameter("If-None-Match", tag, ApiRule::DraftTag)),
        (Some(tag), Some(_)) => Err(Problem::parameter("If-Match", tag, ApiRule::DraftCondition)),
        (None, None) => Err(Problem::new(ProblemKind::NO_CONDITION, ApiRule::DraftCondition)),
    }
}

/// Who writes, for whoever comes too late: another session may be another tab, or another person.
fn writer(allowed: &Allowed) -> String {
    let (who, peer) = (&allowed.caller.who, allowed.peer);
    match &allowed.caller.via {
        Via::Session(hash) => format!("{who}, session {}, from {peer}", hash.id()),
        Via::Address | Via::Token(_) => format!("{who}, from {peer}"),
    }
}

/// In what the stored draft differs from one that was to be written, as far as both can be read.
fn difference(scope: &PolicyScope, other: &StoredDraft, new: &NewDraft) -> String {
    let [theirs, own] = [(other.form, &other.content), (new.form, &new.content)]
        .map(|(form, text)| DraftText::read(form, text, scope).body);
    let (Some(theirs), Some(own)) = (theirs, own) else { return String::new() };
    let found = differences(&own, &theirs);
    if found.is_empty() {
        return ", with the same rules".to_owned();
    }
    let more = if found.len() > MOST_NAMED { " and others" } else { "" };
    let named: Vec<&str> = found.iter().take(MOST_NAMED).map(Difference::path).collect();
    format!("; it differs in {}{more}", named.join(", "))
}

fn answer(app: &Shared, scope: &PolicyScope, draft: StoredDraft) -> impl IntoResponse + use<> {
    let versions = app.parts.configuration.policy_versions(scope);
    let based_on = draft.based_on;
    let is_base = |from: Timestamp| based_on == Some(from);
    let base = versions.iter().find(|version| is_base(version.effective_from));
    let (policy, toml) = match draft.form {
        DraftForm::Json => (Some(serde_json::from_str(&draft.content).unwrap_or_default()), None),
        DraftForm::Toml => (None, Some(draft.content)),
    };
    let json = DraftJson {
        scope: scope_text(scope),
        policy,
        toml,
        based_on: based_on.map(tag),
        based_on_version: base.and_then(|version| version.content.as_ref()).map(|policy| policy.version),
        policy_changed: versions.last().map(|newest| newest.effective_from) != based_on,
        made: draft.made.to_string(),
        changed: draft.changed.to_string(),
        changed_by: draft.changed_by,
        dropped: (draft.used + DRAFTS_KEPT).to_string(),
    };
    ([(header::ETAG, draft_tag(draft.number))], Json(json))
}
