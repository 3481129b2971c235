use std::collections::BTreeMap;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use vedette_alert_store::StoreError;
use vedette_core::{Argument, Refusal, Violation};

use crate::api_rule::ApiRule;

/// Why a request was refused or failed (RFC 9457), as `application/problem+json`.
/// Boxed, because it is the error of nearly every call here.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Problem(Box<ProblemJson>);

/// Why a request was refused or failed (RFC 9457).
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(title = "Problem")]
pub(crate) struct ProblemJson {
    /// Kind of problem, a URI that does not need to be fetched.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind in a few words.
    title: &'static str,
    /// The HTTP status again.
    status: u16,
    /// The stable code of the violated rule or of the reason; docs/ERRORS.md lists them.
    code: &'static str,
    /// The arguments of the texts, by name.
    #[schema(value_type = BTreeMap<String, ArgumentJson>)]
    arguments: BTreeMap<&'static str, Argument>,
    /// The reason, about this request.
    detail: String,
    /// The parameter or field at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<String>,
    /// Its value, cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    /// The rule it breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    /// The remedy.
    fix: String,
    /// Why a change cannot be applied: the first reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refusals: Vec<CameraRefusalJson>,
    /// How many other reasons there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    more_refusals: Option<u32>,
    /// Seconds after which the same request may succeed.
    #[serde(skip)]
    retry_after: Option<u64>,
}

/// Why a change cannot be applied to a camera.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(title = "CameraRefusal")]
pub(crate) struct CameraRefusalJson {
    /// The camera; null if it is about no camera.
    #[schema(required = true)]
    camera: Option<String>,
    /// The path of the value, as in a policy file.
    path: String,
    /// The value.
    value: String,
    /// The stable code of the rule; docs/ERRORS.md lists them.
    code: String,
    /// The rule it breaks.
    rule: String,
    /// The remedy.
    fix: String,
}

impl From<Refusal> for CameraRefusalJson {
    fn from(Refusal { camera, path, value, code, rule, fix }: Refusal) -> Self {
        Self { camera: camera.map(String::from), path, value, code, rule, fix }
    }
}

/// An argument of a problem's texts.
#[derive(ToSchema, Serialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes `Argument`")]
pub(crate) enum ArgumentJson {
    /// A number.
    Number(f64),
    /// A text; spans as in `30s`.
    Text(String),
    /// Words of a list.
    Words(Vec<String>),
}

/// A kind of problem: its name in `type`, its title and its status.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProblemKind(&'static str, &'static str, StatusCode);

impl ProblemKind {
    const PARAMETER: Self = Self("urn:vedette:problem:parameter", "A parameter breaks a rule", StatusCode::BAD_REQUEST);
    pub(crate) const BODY: Self = Self("urn:vedette:problem:body", "The body cannot be used", StatusCode::BAD_REQUEST);
    pub(crate) const CONTENT_TYPE: Self =
        Self("urn:vedette:problem:body", "The body cannot be used", StatusCode::UNSUPPORTED_MEDIA_TYPE);
    pub(crate) const TOO_LARGE: Self =
        Self("urn:vedette:problem:body", "The body cannot be used", StatusCode::PAYLOAD_TOO_LARGE);
    pub(crate) const SLOW: Self =
        Self("urn:vedette:problem:body", "The body came too slowly", StatusCode::REQUEST_TIMEOUT);
    /// The request itself is malformed, not one of its parameters.
    pub(crate) const REQUEST: Self =
        Self("urn:vedette:problem:request", "The request is malformed", StatusCode::BAD_REQUEST);
    pub(crate) const HOST: Self =
        Self("urn:vedette:problem:host", "The console has no such name", StatusCode::MISDIRECTED_REQUEST);
    pub(crate) const CROSS_SITE: Self =
        Self("urn:vedette:problem:cross-site", "Another site asks", StatusCode::FORBIDDEN);
    pub(crate) const UNKNOWN_CALLER: Self =
        Self("urn:vedette:problem:unknown-caller", "The caller is not known", StatusCode::UNAUTHORIZED);
    pub(crate) const FORBIDDEN: Self =
        Self("urn:vedette:problem:forbidden", "The caller may not do this", StatusCode::FORBIDDEN);
    pub(crate) const NOT_FOUND: Self = Self("urn:vedette:problem:not-found", "Not found", StatusCode::NOT_FOUND);
    pub(crate) const CONFLICT: Self =
        Self("urn:vedette:problem:conflict", "It conflicts with the stored state", StatusCode::CONFLICT);
    pub(crate) const PRECONDITION: Self =
        Self("urn:vedette:problem:precondition", "Another version came first", StatusCode::PRECONDITION_FAILED);
    pub(crate) const NO_CONDITION: Self = Self(
        "urn:vedette:problem:precondition",
        "The version that was seen is missing",
        StatusCode::PRECONDITION_REQUIRED,
    );
    pub(crate) const REFUSED: Self =
        Self("urn:vedette:problem:refused", "The change cannot be applied", StatusCode::UNPROCESSABLE_ENTITY);
    pub(crate) const METHOD: Self =
        Self("urn:vedette:problem:method", "The method is not allowed here", StatusCode::METHOD_NOT_ALLOWED);
    pub(crate) const GONE: Self = Self("urn:vedette:problem:evidence-gone", "The evidence is gone", StatusCode::GONE);
    pub(crate) const RANGE: Self =
        Self("urn:vedette:problem:range", "The range lies outside the file", StatusCode::RANGE_NOT_SATISFIABLE);
    pub(crate) const BUSY_FOR_CLIENT: Self =
        Self("urn:vedette:problem:busy", "Too many of one client", StatusCode::TOO_MANY_REQUESTS);
    pub(crate) const BUSY: Self = Self("urn:vedette:problem:busy", "Not now", StatusCode::SERVICE_UNAVAILABLE);
    pub(crate) const INTERNAL: Self =
        Self("urn:vedette:problem:internal", "The server failed", StatusCode::INTERNAL_SERVER_ERROR);
}

impl Problem {
    /// A request that was refused or failed.
    pub(crate) fn new(ProblemKind(kind, title, status): ProblemKind, reason: impl Into<Violation>) -> Self {
        let Violation { code, arguments, rule, fix } = reason.into();
        Self(Box::new(ProblemJson {
            kind,
            title,
            status: status.as_u16(),
            code,
            arguments: arguments.into_iter().collect(),
            detail: rule,
            parameter: None,
            value: None,
            rule: None,
            fix,
            refusals: Vec::new(),
            more_refusals: None,
            retry_after: None,
        }))
    }

    /// A parameter or field that breaks a rule.
    pub(crate) fn parameter(name: &str, value: impl ToString, rule: impl Into<Violation>) -> Self {
        let mut problem = Self::new(ProblemKind::PARAMETER, rule);
        let value: String = value.to_string().chars().take(80).collect();
        let rule = std::mem::take(&mut problem.0.detail);
        problem.0.detail = format!("`{name}` is `{value}`: {rule}");
        problem.0.parameter = Some(name.to_owned());
        problem.0.value = Some(value);
        problem.0.rule = Some(rule);
        problem
    }

    /// The same, which may succeed after some seconds.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Whether the request is at fault, not the server.
    pub(crate) fn is_refusal(&self) -> bool {
        (400..500).contains(&self.0.status)
    }

    /// The same with the reasons of cameras.
    pub(crate) fn with_refusals(mut self, refusals: Vec<Refusal>, more: u32) -> Self {
        self.0.refusals = refusals.into_iter().map(CameraRefusalJson::from).collect();
        self.0.more_refusals = (more > 0).then_some(more);
        self
    }

    /// The reason, about this request.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The stable code.
    pub(crate) const fn code(&self) -> &'static str {
        self.0.code
    }

    /// The remedy.
    pub(crate) fn fix(&self) -> &str {
        &self.0.fix
    }

    /// A failure of the server. The cause goes to the log, not to the client.
    pub(crate) fn internal(operation: &'static str, cause: &dyn std::error::Error) -> Self {
        tracing::error!(%cause, operation, "a request failed");
        Self::new(ProblemKind::INTERNAL, ApiRule::Internal { operation: operation.to_owned() })
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::UnknownAlert(id) => Self::new(ProblemKind::NOT_FOUND, ApiRule::NoAlert { id }),
            StoreError::UnknownAccount(name) => {
                Self::new(ProblemKind::NOT_FOUND, ApiRule::NoAccount { name: name.to_string() })
            }
            StoreError::UnknownSession(id) => Self::new(ProblemKind::NOT_FOUND, ApiRule::NoSession { id }),
            StoreError::UnknownToken(name) => {
                Self::new(ProblemKind::NOT_FOUND, ApiRule::NoToken { name: name.to_string() })
            }
            refused @ (StoreError::AlreadyThere { .. }
            | StoreError::LastAdministrator
            | StoreError::TooMany { .. }
            | StoreError::AccountChanged(_)) => {
                Self::new(ProblemKind::CONFLICT, ApiRule::AccountRefused { reason: refused.to_string() })
            }
            StoreError::TooManyDrafts { most } => Self::new(ProblemKind::CONFLICT, ApiRule::TooManyDrafts { most }),
            away @ StoreError::Unreachable { .. } => {
                tracing::warn!(cause = %away, "the alert store cannot be reached");
                Self::new(ProblemKind::BUSY, ApiRule::StoreUnreachable)
            }
            other => Self::internal("reading or writing the alert store", &other),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.0.retry_after;
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            headers.insert(header::RETRY_AFTER, retry_after.unwrap_or(2).into());
        }
        if status == StatusCode::UNAUTHORIZED {
            // No browser asks for a password by itself: the page does.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"vedette\""));
        }
        response
    }
}
