//! Tokens of machines, for administrators.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_access::{Grant, Name, Secret, SecretKind, Token};
use vedette_core::Span;

use super::accounts::{GrantJson, grants};
use super::{App, body};
use crate::api_rule::ApiRule;
use crate::guard::Allowed;
use crate::params::Params;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson, ProblemKind};

/// Longest life of a token.
const MOST_DAYS: u32 = 366;

/// A token of a machine.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Token")]
pub(crate) struct TokenJson {
    /// Its name.
    name: String,
    /// Its id, as in the audit log.
    id: String,
    /// Its roles with their areas.
    #[schema(value_type = Vec<GrantJson>)]
    grants: Vec<Grant>,
    /// Who made it.
    by: String,
    /// When it was made.
    #[schema(format = DateTime)]
    made: String,
    /// When it expires.
    #[schema(format = DateTime)]
    expires: String,
    /// When it was last used, to the minute; null if never.
    #[schema(required = true, format = DateTime)]
    used: Option<String>,
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenRequest {
    /// Its name: 1 to 64 letters, digits and `.`, `_`, `-`, `@`.
    name: String,
    /// Its roles.
    #[schema(value_type = Vec<GrantJson>)]
    grants: Vec<Grant>,
    /// How many days it lives, 1 to 366.
    #[schema(minimum = 1, maximum = 366)]
    days: u32,
}

/// A new token with its secret.
#[derive(Serialize, ToSchema)]
#[schema(title = "NewToken")]
pub(crate) struct NewTokenJson {
    /// The token.
    token: TokenJson,
    /// Its secret, which is shown this once: send it as `Authorization: Bearer ...`.
    secret: String,
}

impl From<Token> for TokenJson {
    fn from(token: Token) -> Self {
        Self {
            name: token.name.to_string(),
            id: token.hash.id(),
            grants: token.grants.into(),
            by: token.maker,
            made: token.made.to_string(),
            expires: token.expires.to_string(),
            used: token.used.map(|used| used.to_string()),
        }
    }
}

/// The tokens
///
/// By name, expired ones too, until they are revoked.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "access", operation_id = "listTokens",
    responses((status = 200, description = "The tokens", body = Vec<TokenJson>)))]
pub(crate) async fn list(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Json<Vec<TokenJson>>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let tokens = app.guard.callers.ask(|store, _| store.tokens()).await?;
    Ok(Json(tokens.into_iter().map(TokenJson::from).collect()))
}

/// Make a token
///
/// The answer has its secret, which is stored nowhere.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "access", operation_id = "addToken", request_body = TokenRequest,
    responses(
        (status = 201, description = "The token with its secret", body = NewTokenJson),
        (status = 409, description = "There is one of that name, or there are no accounts", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn add(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<(StatusCode, Json<NewTokenJson>), Problem> {
    Params::read(query.as_deref(), &[])?;
    let request: TokenRequest = body(&headers, &given)?;
    let name = Name::new(&request.name).map_err(|violation| Problem::parameter("name", &request.name, violation))?;
    if !(1..=MOST_DAYS).contains(&request.days) {
        return Err(Problem::parameter("days", request.days, ApiRule::LifeOfToken { most: MOST_DAYS.into() }));
    }
    let grants = grants(request.grants)?;
    if !allowed.caller.grants.include(&grants) {
        return Err(Problem::parameter("grants", &grants, ApiRule::MoreThanOwn));
    }
    let callers = &app.guard.callers;
    if !callers.has_accounts().await? {
        return Err(Problem::new(ProblemKind::CONFLICT, ApiRule::NoAccountYet));
    }
    let (secret, now) = (Secret::random(SecretKind::Token), callers.now());
    let mut entry = allowed.entry(now, "token.add", format!("token:{name}"));
    entry.detail = format!("{grants} for {} days", request.days);
    let token = Token {
        name,
        hash: secret.hash(),
        grants,
        maker: allowed.caller.who.to_string(),
        made: now,
        expires: now + Span::from_secs(i64::from(request.days) * 86_400),
        used: None,
    };
    let added = token.clone();
    callers.ask(move |store, _| store.add_token(&added, Some(&entry))).await?;
    Ok((StatusCode::CREATED, Json(NewTokenJson { token: token.into(), secret: secret.reveal().to_owned() })))
}

/// Revoke a token
///
/// It is refused from now on; its live streams end within a second.
#[utoipa::path(delete, path = "/api/v1/tokens/{name}", tag = "access", operation_id = "revokeToken",
    params(("name" = String, Path, description = "The token's name")),
    responses(
        (status = 204, description = "It is revoked"),
        (status = 404, description = "No such token", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn revoke(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(path): PathText,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    Params::read(query.as_deref(), &[])?;
    let name = Name::new(&path).map_err(|violation| Problem::parameter("name", &path, violation))?;
    let callers = &app.guard.callers;
    let entry = allowed.entry(callers.now(), "token.revoke", format!("token:{name}"));
    callers.ask(move |store, _| store.revoke_token(&name, Some(&entry))).await?;
    Ok(StatusCode::NO_CONTENT)
}
