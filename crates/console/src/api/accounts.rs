//! Accounts of people and their sessions, for administrators.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_access::{Account, Grant, Grants, Login, Name, NewPassword, PasswordHash, Session};
use vedette_alert_store::AccountChange;
use zeroize::Zeroizing;

use super::{App, body};
use crate::guard::Allowed;
use crate::params::Params;
use crate::path_text::PathText;
use crate::problem::{Problem, ProblemJson};

/// An account of a person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Account")]
pub(crate) struct AccountJson {
    /// Its name.
    name: String,
    /// `password`, or the issuer of the provider at which the person logs in.
    login: String,
    /// Its roles with their areas.
    #[schema(value_type = Vec<GrantJson>)]
    grants: Vec<Grant>,
    /// Whether it may log in.
    enabled: bool,
    /// When it was made.
    #[schema(format = DateTime)]
    made: String,
    /// When it last changed.
    #[schema(format = DateTime)]
    changed: String,
}

/// A role within areas.
#[derive(ToSchema)]
#[schema(title = "Grant")]
#[expect(dead_code, reason = "it describes `Grant`")]
pub(crate) struct GrantJson {
    /// `viewer`, `operator`, `evidence`, `administrator`, `auditor` or `monitor`.
    role: String,
    /// `address:` and the beginning of a code, or `group:` and a camera group; left out for the whole site.
    areas: Option<Vec<String>>,
}

/// An account to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountRequest {
    /// Its name: 1 to 64 letters, digits and `.`, `_`, `-`, `@`.
    name: String,
    /// Its first password, 12 characters at least.
    #[schema(value_type = String, format = Password)]
    password: Zeroizing<String>,
    /// Its roles.
    #[schema(value_type = Vec<GrantJson>)]
    grants: Vec<Grant>,
}

/// A change of an account. What is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountChangeRequest {
    /// A new password: all sessions of the account end.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password)]
    password: Option<Zeroizing<String>>,
    /// Its roles.
    #[serde(default)]
    #[schema(value_type = Option<Vec<GrantJson>>)]
    grants: Option<Vec<Grant>>,
    /// Whether it may log in; if not, all its sessions end.
    #[serde(default)]
    enabled: Option<bool>,
}

/// A session of a person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "OpenSession")]
pub(crate) struct OpenSessionJson {
    /// Its id, as in the audit log.
    id: String,
    /// The account.
    account: String,
    /// The network address from which it began.
    peer: String,
    /// When it began.
    #[schema(format = DateTime)]
    began: String,
    /// When it was last used, to the minute.
    #[schema(format = DateTime)]
    used: String,
    /// When it ends at the latest.
    #[schema(format = DateTime)]
    ends: String,
}

impl From<Account> for AccountJson {
    fn from(account: Account) -> Self {
        Self {
            name: account.name.to_string(),
            login: match account.login {
                Login::Password(_) => "password".to_owned(),
                Login::Provider { issuer, .. } => issuer,
            },
            grants: account.grants.into(),
            enabled: account.enabled,
            made: account.made.to_string(),
            changed: account.changed.to_string(),
        }
    }
}

impl From<Session> for OpenSessionJson {
    fn from(session: Session) -> Self {
        Self {
            id: session.hash.id(),
            account: session.account.to_string(),
            peer: session.peer,
            began: session.began.to_string(),
            used: session.used.to_string(),
            ends: session.ends.to_string(),
        }
    }
}

/// Grants of a request.
pub(super) fn grants(given: Vec<Grant>) -> Result<Grants, Problem> {
    let text: Vec<String> = given.iter().map(ToString::to_string).collect();
    Grants::new(given).map_err(|violation| Problem::parameter("grants", text.join(" "), violation))
}

fn name(text: &str) -> Result<Name, Problem> {
    Name::new(text).map_err(|violation| Problem::parameter("name", text, violation))
}

/// The accounts
///
/// By name. Passwords are stored as hashes and never shown.
#[utoipa::path(get, path = "/api/v1/accounts", tag = "access", operation_id = "listAccounts",
    responses((status = 200, description = "The accounts", body = Vec<AccountJson>)))]
pub(crate) async fn list(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Json<Vec<AccountJson>>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let accounts = app.guard.callers.ask(|store, _| store.accounts()).await?;
    Ok(Json(accounts.into_iter().map(AccountJson::from).collect()))
}

/// Make an account
///
/// Once there is one, nobody is served without logging in.
#[utoipa::path(post, path = "/api/v1/accounts", tag = "access", operation_id = "addAccount", request_body = AccountRequest,
    responses(
        (status = 201, description = "The account", body = AccountJson),
        (status = 409, description = "There is one of that name, or the first one is no administrator", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn add(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<(StatusCode, Json<AccountJson>), Problem> {
    Params::read(query.as_deref(), &[])?;
    let request: AccountRequest = body(&headers, &given)?;
    let name = name(&request.name)?;
    let password = NewPassword::new(request.password, &name);
    let password = password.map_err(|violation| Problem::parameter("password", "...", violation))?;
    let grants = grants(request.grants)?;
    let callers = &app.guard.callers;
    if !callers.has_accounts().await? {
        grants.check_first().map_err(|violation| Problem::parameter("grants", &grants, violation))?;
    }
    let mut entry = allowed.entry(callers.now(), "account.add", format!("account:{name}"));
    entry.detail = grants.to_string();
    let made = callers.ask(move |store, now| {
        let login = Login::Password(PasswordHash::of(&password));
        let account = Account { name, login, grants, enabled: true, made: now, changed: now };
        store.add_account(&account, Some(&entry))?;
        Ok(account)
    });
    Ok((StatusCode::CREATED, Json(made.await?.into())))
}

/// Change an account
///
/// Roles hold at once, in live streams too. The last enabled administrator of the whole site stays one.
#[utoipa::path(post, path = "/api/v1/accounts/{name}", tag = "access", operation_id = "changeAccount",
    params(("name" = String, Path, description = "The account's name")), request_body = AccountChangeRequest,
    responses(
        (status = 200, description = "The account", body = AccountJson),
        (status = 404, description = "No such account", body = ProblemJson, content_type = "application/problem+json"),
        (status = 409, description = "It is the last administrator", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/json`", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn change(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(path): PathText,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<Json<AccountJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let name = name(&path)?;
    let request: AccountChangeRequest = body(&headers, &given)?;
    let password = request.password.map(|text| NewPassword::new(text, &name)).transpose();
    let password = password.map_err(|violation| Problem::parameter("password", "...", violation))?;
    let grants = request.grants.map(grants).transpose()?;
    let callers = &app.guard.callers;
    let mut entry = allowed.entry(callers.now(), "account.change", format!("account:{name}"));
    let changes = [
        password.as_ref().map(|_| "password".to_owned()),
        grants.as_ref().map(|grants| format!("grants: {grants}")),
        request.enabled.map(|enabled| if enabled { "enabled".to_owned() } else { "disabled".to_owned() }),
    ];
    entry.detail = changes.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let changed = callers.ask(move |store, now| {
        let login = password.map(|password| Login::Password(PasswordHash::of(&password)));
        store.change_account(&name, &AccountChange { login, grants, enabled: request.enabled }, now, Some(&entry))
    });
    Ok(Json(changed.await?.into()))
}

/// Remove an account
///
/// All its sessions end. Its name stays in what it did.
#[utoipa::path(delete, path = "/api/v1/accounts/{name}", tag = "access", operation_id = "removeAccount",
    params(("name" = String, Path, description = "The account's name")),
    responses(
        (status = 204, description = "It is removed"),
        (status = 404, description = "No such account", body = ProblemJson, content_type = "application/problem+json"),
        (status = 409, description = "It is the last administrator", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn remove(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(path): PathText,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    Params::read(query.as_deref(), &[])?;
    let name = name(&path)?;
    let callers = &app.guard.callers;
    let entry = allowed.entry(callers.now(), "account.remove", format!("account:{name}"));
    callers.ask(move |store, _| store.remove_account(&name, Some(&entry))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The open sessions
///
/// Of all accounts or of one, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "access", operation_id = "listSessions",
    params(("account" = Option<String>, Query, description = "The account's name")),
    responses((status = 200, description = "The sessions", body = Vec<OpenSessionJson>)))]
pub(crate) async fn sessions(
    State(app): State<App>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<OpenSessionJson>>, Problem> {
    let params = Params::read(query.as_deref(), &["account"])?;
    let account = params.text("account").map(name).transpose()?;
    let sessions = app.guard.callers.ask(move |store, _| store.sessions(account.as_ref())).await?;
    Ok(Json(sessions.into_iter().map(OpenSessionJson::from).collect()))
}

/// End a session
///
/// Its live streams end within a second.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "access", operation_id = "endSession",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 204, description = "It is over"),
        (status = 404, description = "No such session", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn end_session(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    PathText(id): PathText,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    Params::read(query.as_deref(), &[])?;
    let callers = &app.guard.callers;
    let entry = allowed.entry(callers.now(), "session.end", format!("session:{id}"));
    callers.ask(move |store, _| store.end_session_by_id(&id, Some(&entry))).await?;
    Ok(StatusCode::NO_CONTENT)
}
