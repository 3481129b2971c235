use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;
use vedette_alert_store::StoreError;

/// Why a request was refused or failed (RFC 9457), as `application/problem+json`.
/// Boxed, because it is the error of nearly every call here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Problem(Box<ProblemJson>);

/// Why a request was refused or failed (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(title = "Problem")]
pub(crate) struct ProblemJson {
    /// Kind of problem, a URI that does not need to be fetched.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind in a few words.
    title: &'static str,
    /// The HTTP status again.
    status: u16,
    /// What is wrong with this request.
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
    /// What to do.
    fix: String,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: String, fix: String) -> Self {
        let status = status.as_u16();
        Self(Box::new(ProblemJson { kind, title, status, detail, parameter: None, value: None, rule: None, fix }))
    }

    /// A parameter or field breaks a rule.
    pub(crate) fn parameter(name: &str, value: &str, rule: impl ToString, fix: impl ToString) -> Self {
        let rule = rule.to_string();
        let value: String = value.chars().take(80).collect();
        let detail = format!("`{name}` is `{value}`: {rule}");
        let kind = "urn:vedette:problem:parameter";
        let title = "A parameter breaks a rule";
        let mut problem = Self::new(StatusCode::BAD_REQUEST, kind, title, detail, fix.to_string());
        problem.0.parameter = Some(name.to_owned());
        problem.0.value = Some(value);
        problem.0.rule = Some(rule);
        problem
    }

    /// The body cannot be used.
    pub(crate) fn body(status: StatusCode, detail: impl ToString, fix: impl ToString) -> Self {
        let title = "The body cannot be used";
        Self::new(status, "urn:vedette:problem:body", title, detail.to_string(), fix.to_string())
    }

    /// There is no such thing.
    pub(crate) fn not_found(detail: impl ToString, fix: impl ToString) -> Self {
        let title = "Not found";
        Self::new(StatusCode::NOT_FOUND, "urn:vedette:problem:not-found", title, detail.to_string(), fix.to_string())
    }

    /// It is about something else than what is there.
    pub(crate) fn conflict(detail: impl ToString, fix: impl ToString) -> Self {
        let title = "It is not what is there";
        Self::new(StatusCode::CONFLICT, "urn:vedette:problem:conflict", title, detail.to_string(), fix.to_string())
    }

    /// There is such a path, but not with this method.
    pub(crate) fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "urn:vedette:problem:method",
            "The method is not allowed here",
            "this path exists, but not with this method".to_owned(),
            "see /api/v1/openapi.json".to_owned(),
        )
    }

    /// There is no picture, and there will be none.
    pub(crate) fn gone(detail: impl ToString) -> Self {
        Self::new(
            StatusCode::GONE,
            "urn:vedette:problem:evidence-gone",
            "The evidence is gone",
            detail.to_string(),
            "nothing brings it back; a longer retention of `video` keeps the next one".to_owned(),
        )
    }

    /// Not now.
    pub(crate) fn busy(detail: impl ToString, fix: impl ToString) -> Self {
        let title = "Not now";
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "urn:vedette:problem:busy",
            title,
            detail.to_string(),
            fix.to_string(),
        )
    }

    /// It is our fault. The cause goes to the log, not to the client.
    pub(crate) fn internal(doing: &'static str, cause: &dyn std::error::Error) -> Self {
        tracing::error!(%cause, doing, "a request failed");
        Self::failed(format!("{doing} failed; the server's log says why"))
    }

    /// It is our fault, and the client may know why.
    pub(crate) fn failed(detail: impl ToString) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "urn:vedette:problem:internal",
            "The server failed",
            detail.to_string(),
            "ask again; when it stays, ask the operator to read the server's log".to_owned(),
        )
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::UnknownAlert(id) => Self::not_found(
                format!("there is no alert {id}"),
                "take an id from /api/v1/alerts; an alert whose retention is over is deleted",
            ),
            away @ StoreError::Unreachable { .. } => {
                tracing::warn!(cause = %away, "a request failed: the alert store is unreachable");
                Self::busy("the alert store cannot be reached", "ask again in a few seconds; /healthz says why")
            }
            other => Self::internal("reading or writing the alert store", &other),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
        }
        response
    }
}
