use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;

use crate::api_rule::ApiRule;
use crate::problem::{Problem, ProblemKind};

/// The one parameter of a path, as text.
#[derive(Debug)]
pub(crate) struct PathText(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for PathText {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(_not_utf8) => Err(Problem::new(ProblemKind::REQUEST, ApiRule::PathText)),
        }
    }
}
