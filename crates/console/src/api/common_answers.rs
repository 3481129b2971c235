//! The answers that any request may get, described once for all operations.

use axum::http::Method;
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};

use crate::guard::{Need, need};

const EVERY: [(&str, &str); 6] = [
    ("400", "A parameter breaks a rule, or the request is malformed"),
    ("401", "Nobody is logged in, and there is no valid token"),
    ("403", "The caller lacks the permission, or a page of another site asks"),
    ("421", "The console is not opened under this name"),
    ("500", "The server failed; its log says why"),
    ("503", "The alert store cannot be reached, or the most connections are open"),
];
const WITH_BODY: [(&str, &str); 2] = [("408", "The body came too slowly"), ("413", "The body is too large")];

/// Adds the answers to each operation that does not describe its own.
pub(super) fn describe(description: &mut OpenApi) {
    for (path, item) in &mut description.paths.paths {
        for (method, operation) in [
            (Method::GET, &mut item.get),
            (Method::POST, &mut item.post),
            (Method::PUT, &mut item.put),
            (Method::DELETE, &mut item.delete),
        ] {
            let Some(operation) = operation else { continue };
            add(operation);
            if let Some(need) = need(&method, path) {
                let name = match need {
                    Need::Anyone => "anyone",
                    Need::Caller => "caller",
                    Need::Has(permission) => permission.as_str(),
                };
                operation.extensions = Some(Extensions::builder().add("x-permission", name).build());
            }
        }
    }
}

fn add(operation: &mut Operation) {
    let of_body: &[_] = if operation.request_body.is_some() { &WITH_BODY } else { &[] };
    for (status, meaning) in EVERY.iter().chain(of_body) {
        let responses = &mut operation.responses.responses;
        responses.entry((*status).to_owned()).or_insert_with(|| RefOr::T(problem(meaning)));
    }
}

fn problem(meaning: &str) -> Response {
    let schema = Ref::from_schema_name("ProblemJson");
    let content = ContentBuilder::new().schema(Some(schema)).build();
    ResponseBuilder::new().description(meaning).content("application/problem+json", content).build()
}
