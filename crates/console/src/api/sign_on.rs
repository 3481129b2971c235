//! Single sign-on: to the provider and back. Browsers come here by themselves, so a refusal is a page where they ask for one.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::Serialize;
use utoipa::ToSchema;
use vedette_single_sign_on::{Answer, ReturnTo};

use super::session::set_cookie;
use super::{App, Shared, require_type};
use crate::api_rule::ApiRule;
use crate::gate::Client;
use crate::guard::{SignOn, cookie_text};
use crate::params::Params;
use crate::problem::{Problem, ProblemJson, ProblemKind};

/// The ways to log in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "LoginWays")]
pub(crate) struct WaysJson {
    /// The provider of single sign-on; null without.
    #[schema(required = true)]
    provider: Option<ProviderJson>,
}

/// The provider of single sign-on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "LoginProvider")]
pub(crate) struct ProviderJson {
    /// Its name for people.
    label: String,
}

/// A logout token.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the form")]
pub(crate) struct LogoutForm {
    /// As OpenID Connect Back-Channel Logout 1.0 has it.
    logout_token: String,
}

/// How to log in
#[utoipa::path(get, path = "/api/v1/session/ways", tag = "access", operation_id = "getLoginWays",
    responses((status = 200, description = "The ways besides name and password", body = WaysJson)))]
pub(crate) async fn ways(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Json<WaysJson>, Problem> {
    Params::read(query.as_deref(), &[])?;
    let provider = app.sign_on.as_ref().map(|sign_on| ProviderJson { label: sign_on.label().to_owned() });
    Ok(Json(WaysJson { provider }))
}

/// Log in at the provider
///
/// For browsers: leads to the provider of single sign-on, which leads back.
#[utoipa::path(get, path = "/api/v1/session/sign-on", tag = "access", operation_id = "beginSignOn",
    params(("return_to" = Option<String>, Query, description = "The path of this console to go on at, as in `/`")),
    responses(
        (status = 303, description = "To the provider", headers(("Location" = String, description = "The provider"))),
        (status = 404, description = "The site has no single sign-on", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "The provider cannot be reached", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn begin(
    State(app): State<App>,
    Extension(Client(client)): Extension<Client>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    begun(&app, client, query.as_deref()).await.unwrap_or_else(|problem| refused(&app, &headers, problem))
}

async fn begun(app: &Shared, client: std::net::IpAddr, query: Option<&str>) -> Result<Response, Problem> {
    let params = Params::read(query, &["return_to"])?;
    let sign_on = sign_on(app)?;
    let return_to = match params.text("return_to") {
        None => ReturnTo::page(),
        Some(text) => {
            ReturnTo::read(text).ok_or_else(|| Problem::parameter("return_to", text, ApiRule::SignOnReturnTo))?
        }
    };
    let begun = sign_on.begin(&app.guard.callers, return_to, client).await?;
    Ok(([(header::SET_COOKIE, key_cookie(app, sign_on, Some(&begun.key)))], Redirect::to(begun.url.as_str()))
        .into_response())
}

/// Come back from the provider
///
/// For browsers. The answer sets the cookie of a session.
#[utoipa::path(get, path = "/api/v1/session/answer", tag = "access", operation_id = "finishSignOn",
    params(
        ("code" = Option<String>, Query, description = "The provider's code"),
        ("state" = Option<String>, Query, description = "The state that the login began with"),
        ("iss" = Option<String>, Query, description = "The provider's issuer identifier"),
        ("error" = Option<String>, Query, description = "Why the provider refused"),
    ),
    responses(
        (status = 303, description = "Logged in: to the page", headers(("Set-Cookie" = String, description = "The session"))),
        (status = 404, description = "The site has no single sign-on", body = ProblemJson, content_type = "application/problem+json"),
        (status = 409, description = "Another account has the name", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "The provider cannot be reached", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn answer(
    State(app): State<App>,
    Extension(Client(client)): Extension<Client>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let Ok(sign_on) = sign_on(&app) else { return refused(&app, &headers, off()) };
    let key = cookie_text(&headers, key_name(sign_on)).unwrap_or_default();
    let answer = read_answer(query.as_deref().unwrap_or_default());
    // The key is of no use any more, whatever comes.
    let forget = key_cookie(&app, sign_on, None);
    match sign_on.finish(&app.guard.callers, key, answer, client).await {
        Ok(entered) => {
            let mut response = Redirect::to(&app.settings.base_path.join(entered.return_to.as_str())).into_response();
            for cookie in [set_cookie(Some(entered.secret.reveal())), forget] {
                response.headers_mut().extend(cookie.parse().map(|cookie| (header::SET_COOKIE, cookie)));
            }
            response
        }
        Err(problem) => ([(header::SET_COOKIE, forget)], refused(&app, &headers, problem)).into_response(),
    }
}

/// End sessions for the provider
///
/// The provider's back channel: it sends a logout token, and the sessions that began there end within a second. It has no session
/// itself; the token's signature says who sends it.
#[utoipa::path(post, path = "/api/v1/session/provider-logout", tag = "access", operation_id = "providerLogout",
    request_body(content = LogoutForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The sessions are over"),
        (status = 404, description = "The site has no single sign-on", body = ProblemJson, content_type = "application/problem+json"),
        (status = 415, description = "The body is not `application/x-www-form-urlencoded`", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn provider_logout(
    State(app): State<App>,
    Extension(Client(client)): Extension<Client>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    given: Bytes,
) -> Result<StatusCode, Problem> {
    Params::read(query.as_deref(), &[])?;
    let sign_on = sign_on(&app)?;
    require_type(&headers, "application/x-www-form-urlencoded", |given| ApiRule::FormType { given })?;
    let token = url::form_urlencoded::parse(&given).find(|(name, _)| name == "logout_token");
    let (_, token) = token.ok_or_else(|| Problem::parameter("logout_token", "", ApiRule::Missing))?;
    sign_on.end(&app.guard.callers, &token, client).await?;
    Ok(StatusCode::OK)
}

fn sign_on(app: &Shared) -> Result<&SignOn, Problem> {
    app.sign_on.as_ref().ok_or_else(off)
}

fn off() -> Problem {
    Problem::new(ProblemKind::NOT_FOUND, ApiRule::SignOnOff)
}

/// What the provider says. Others than these are ignored, as OAuth 2.0 has it; one that comes twice is none.
fn read_answer(query: &str) -> Answer {
    let one = |name: &str| {
        let mut values = url::form_urlencoded::parse(query.as_bytes()).filter(|(given, _)| given == name);
        let value = values.next().map(|(_, value)| value.into_owned());
        value.filter(|_| values.next().is_none())
    };
    Answer { code: one("code"), state: one("state"), issuer: one("iss"), error: one("error") }
}

/// The cookie with the key of a login that has begun. Over TLS, only pages of TLS can set it.
fn key_name(sign_on: &SignOn) -> &'static str {
    if sign_on.is_over_tls() { "__Secure-vedette-sign-on" } else { "vedette-sign-on" }
}

/// `Lax`: it has to come along when the provider leads back. Without a key, the browser forgets it.
fn key_cookie(app: &Shared, sign_on: &SignOn, key: Option<&str>) -> String {
    let path = app.settings.base_path.join("/api/v1/session/answer");
    let (name, secure) = (key_name(sign_on), if sign_on.is_over_tls() { "; Secure" } else { "" });
    let (key, age) = key.map_or(("", 0), |key| (key, 600));
    format!("{name}={key}; Path={path}; Max-Age={age}; HttpOnly; SameSite=Lax{secure}")
}

/// A refusal, as a page for a browser.
fn refused(app: &Shared, headers: &HeaderMap, problem: Problem) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|accepted| accepted.to_str().ok()).unwrap_or_default();
    if !accepted.contains("text/html") {
        return problem.into_response();
    }
    let page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Vedette</title>\
         <link rel=\"icon\" href=\"{base}assets/icon.svg\" type=\"image/svg+xml\">\
         <link rel=\"stylesheet\" href=\"{base}assets/app.css\">\
         <main class=\"refused\" data-code=\"{code}\"><h1>Nobody was logged in</h1><p>{detail}; {fix}.</p>\
         <p><a href=\"{base}\">Back to the page</a></p></main></html>\n",
        base = app.settings.base_path.join("/"),
        code = problem.code(),
        detail = escaped(problem.detail()),
        fix = escaped(problem.fix()),
    );
    // With its status and headers, but another body.
    let (mut parts, _) = problem.into_response().into_parts();
    for of_body in [header::CONTENT_TYPE, header::CONTENT_LENGTH] {
        parts.headers.remove(of_body);
    }
    (parts.status, parts.headers, Html(page)).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
