//! Logging in and out, and the caller itself.

use std::collections::BTreeMap;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_access::{Areas, Caller, Login, NewPassword, Outcome, PasswordHash, Permission, Via};
use vedette_alert_store::AccountChange;
use zeroize::Zeroizing;

use super::{App, body};
use crate::api_rule::ApiRule;
use crate::gate::Client;
use crate::guard::{Allowed, COOKIE};
use crate::params::Params;
use crate::problem::{Problem, ProblemJson, ProblemKind};

/// A login.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginRequest {
    /// The name of the account.
    name: String,
    /// Its password.
    #[schema(value_type = String, format = Password)]
    password: Zeroizing<String>,
}

/// A change of the caller's own password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordRequest {
    /// The present password.
    #[schema(value_type = String, format = Password)]
    old: Zeroizing<String>,
    /// The new one, 12 characters at least.
    #[schema(value_type = String, format = Password)]
    new: Zeroizing<String>,
}

/// The caller, and what it may do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Session")]
pub(crate) struct SessionJson {
    /// `local`, the name of an account, or `token:` and that of a token.
    who: String,
    /// `address` (a program of this machine, while there are no accounts), `session` or `token`.
    via: &'static str,
    /// The roles, as in `operator@group:gates,address:440305`.
    roles: Vec<String>,
    /// The permissions, each with its areas; null for the whole site.
    permissions: BTreeMap<&'static str, Option<Vec<String>>>,
    /// Whether a look at pictures needs a reason.
    reasons: bool,
    /// Where a browser ends the session at the provider of single sign-on too, after it has logged out here; null for others.
    #[schema(required = true)]
    provider_logout: Option<String>,
}

impl SessionJson {
    fn of(caller: &Caller, reasons: bool) -> Self {
        let areas = |permission: Permission| {
            caller.areas(permission).map(|areas| match areas {
                Areas::Everywhere => (permission.as_str(), None),
                Areas::Only(areas) => (permission.as_str(), Some(areas.iter().map(ToString::to_string).collect())),
            })
        };
        Self {
            who: caller.who.to_string(),
            via: match caller.via {
                Via::Address => "address",
                Via::Session(_) => "session",
                Via::Token(_) => "token",
            },
            roles: caller.grants.iter().map(ToString::to_string).collect(),
            permissions: Permission::ALL.into_iter().filter_map(areas).collect(),
            reasons,
            provider_logout: None,
        }
    }
}

/// The cookie with a secret; without one, the browser forgets it.
pub(super) fn set_cookie(secret: Option<&str>) -> String {
    let (secret, age) = secret.map_or(("", "; Max-Age=0"), |secret| (secret, ""));
    format!("{COOKIE}={secret}; Path=/; Secure; HttpOnly; SameSite=Strict{age}")
}

/// Log in
///
/// The answer sets the cookie of a session, which ends when it is not used for `access.idle`, and after `access.longest` in any case. After
/// four failures of an account, or twenty of an address, each further one makes the next try wait longer.
#[utoipa::path(post, path = "/api/v1/session", tag = "access", operation_id = "logIn", request_body = LoginRequest,
    responses(
        (status = 200, description = "The caller, from now on", body = SessionJson, headers(("Set-Cookie" = String, description = "The session"))),
        (status = 401, description = "Name or password is wrong", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
        (status = 429, description = "Too many failures: `Retry-After` says when to try again", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn log_in(
    State(app): State<App>,
    Extension(Client(client)): Extension<Client>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<impl IntoResponse, Problem> {
    Params::read(query.as_deref(), &[])?;
    let LoginRequest { name, password } = body(&headers, &given)?;
    let passed = app.password_login.log_in(&app.guard.callers, &name, password, client).await?;
    let caller = app.guard.callers.of_secret(&passed).await?;
    let cookie = [(header::SET_COOKIE, set_cookie(Some(passed.reveal())))];
    Ok((cookie, Json(SessionJson::of(&caller, app.settings.access.reasons))))
}

/// The caller
///
/// Who asks, and what it may do.
#[utoipa::path(get, path = "/api/v1/session", tag = "access", operation_id = "getSession",
    responses((status = 200, description = "The caller", body = SessionJson)))]
pub(crate) async fn get(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
) -> Result<Json<SessionJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let provider_logout = match (&app.sign_on, allowed.caller.via) {
        (Some(sign_on), Via::Session(hash)) => sign_on.logout_url(&app.guard.callers, hash).await?,
        _ => None,
    };
    Ok(Json(SessionJson { provider_logout, ..SessionJson::of(&allowed.caller, app.settings.access.reasons) }))
}

/// Log out
///
/// The session ends; its live streams do within a second.
#[utoipa::path(delete, path = "/api/v1/session", tag = "access", operation_id = "logOut",
    responses((status = 204, description = "The session is over")))]
pub(crate) async fn log_out(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    Params::read(query.as_deref(), &[])?;
    if let Via::Session(hash) = allowed.caller.via {
        let entry = allowed.entry((app.parts.clock)(), "session.end", format!("account:{}", allowed.caller.who));
        app.guard.callers.ask(move |store, _| store.end_session(&hash, Some(&entry))).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, set_cookie(None))]))
}

/// Change the own password
///
/// All sessions of the account end.
#[utoipa::path(post, path = "/api/v1/session/password", tag = "access", operation_id = "changePassword", request_body = PasswordRequest,
    responses(
        (status = 204, description = "The new password holds; log in again"),
        (status = 409, description = "The caller has no password here", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
        (status = 429, description = "Too many failures", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn change_password(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<impl IntoResponse, Problem> {
    Params::read(query.as_deref(), &[])?;
    let PasswordRequest { old, new } = body(&headers, &given)?;
    let vedette_access::Who::Account(name) = allowed.caller.who.clone() else {
        return Err(Problem::new(ProblemKind::CONFLICT, ApiRule::LocalNeedsNone));
    };
    let (callers, of) = (&app.guard.callers, name.clone());
    let account = callers.ask(move |store, _| store.account(&of)).await?;
    let Some(account) = account.filter(|account| matches!(account.login, Login::Password(_))) else {
        return Err(Problem::new(ProblemKind::CONFLICT, ApiRule::ProviderAccount));
    };
    let new = NewPassword::new(new, &name).map_err(|violation| Problem::parameter("new", "...", violation))?;
    if !app.password_login.is_password(&account, old, allowed.peer, callers.now()).await? {
        let mut entry = allowed.entry(callers.now(), "account.password", format!("account:{name}"));
        entry.outcome = Outcome::Refused(ApiRule::WRONG_PASSWORD.to_owned());
        callers.note_refusal(entry).await;
        return Err(Problem::parameter("old", "...", ApiRule::WrongPassword));
    }
    let entry = allowed.entry(callers.now(), "account.password", format!("account:{name}"));
    let changed = callers.ask(move |store, now| {
        let login = Some(Login::Password(PasswordHash::of(&new)));
        store.change_account(&name, &AccountChange { login, ..AccountChange::default() }, now, Some(&entry))
    });
    changed.await?;
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, set_cookie(None))]))
}
