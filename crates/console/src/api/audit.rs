//! The audit log: every act and every look.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Extension, RawQuery, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use vedette_alert_store::{AlertStore, AuditFilter};

use super::App;
use crate::api_rule::ApiRule;
use crate::audit_row::AuditRowJson;
use crate::guard::Allowed;
use crate::params::Params;
use crate::problem::{Problem, ProblemJson};

/// Rows that are exported at once.
const BATCH: u32 = 500;

/// Which rows.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it describes the parameters; `list` reads them")]
pub(crate) struct AuditQuery {
    /// Of this account, `token:NAME` or `local`.
    who: Option<String>,
    /// Acts that begin with this: `look.` or `account.add`.
    act: Option<String>,
    /// About this object: `alert:ID`, `camera:ID`, `policy:group/NAME`, `account:NAME`.
    object: Option<String>,
    /// At or after this time, RFC 3339.
    from: Option<String>,
    /// Before this time, RFC 3339.
    until: Option<String>,
    /// Most rows, 1 to 1000; 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Continue after a page: the value of its `next`.
    before: Option<u64>,
}

/// A page of the audit log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditList {
    /// The rows, newest first.
    rows: Vec<AuditRowJson>,
    /// Pass it as `before` for the next page; null on the last one.
    #[schema(required = true)]
    next: Option<u64>,
}

/// The audit log, newest first
///
/// Every act and every look, with who, from where, why and the result. Rows are never changed or deleted; each contains the hash of the one
/// before, which `vedette audit verify` checks.
#[utoipa::path(get, path = "/api/v1/audit", tag = "access", operation_id = "listAudit", params(AuditQuery),
    responses((status = 200, description = "A page", body = AuditList)))]
pub(crate) async fn list(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Json<AuditList>, Problem> {
    let params = Params::read(query.as_deref(), &["who", "act", "object", "from", "until", "limit", "before"])?;
    let (from, until) = params.times()?;
    let text = |name: &str| params.text(name).map(ToOwned::to_owned);
    let filter = AuditFilter {
        who: text("who"),
        act: text("act"),
        object: text("object"),
        from,
        until,
        before: params.parse::<u64>("before", |reason| ApiRule::Cursor { reason })?,
        limit: params.page_limit()?,
    };
    let page = app.guard.callers.ask(move |store, _| store.audit(&filter)).await?;
    Ok(Json(AuditList { rows: page.rows.into_iter().map(AuditRowJson::from).collect(), next: page.next }))
}

/// The whole audit log, oldest first (NDJSON)
///
/// One row a line, from row `after` + 1 on. The export is an act of its own.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "access", operation_id = "exportAudit",
    params(("after" = Option<u64>, Query, description = "The number of the last row that is known; 0 when absent")),
    responses(
        (status = 200, description = "The rows, one a line", body = AuditRowJson, content_type = "application/x-ndjson"),
        (status = 400, description = "A parameter breaks a rule", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn export(
    State(app): State<App>,
    Extension(allowed): Extension<Allowed>,
    RawQuery(query): RawQuery,
) -> Result<impl IntoResponse, Problem> {
    let params = Params::read(query.as_deref(), &["after"])?;
    let after = params.parse::<u64>("after", ApiRule::number("the number of a row"))?.unwrap_or(0);
    let callers = &app.guard.callers;
    let mut entry = allowed.entry(callers.now(), "audit.export", "audit".to_owned());
    entry.detail = format!("after row {after}");
    let head = callers.ask(move |store, _| store.append_audit(&[entry])).await?;
    let store = app.parts.store.clone();
    let rows = futures::stream::unfold(after, move |after| {
        let store = store.clone();
        async move {
            // Up to the row about this export: the log grows meanwhile.
            let left = u32::try_from(head.number.saturating_sub(after)).unwrap_or(u32::MAX).min(BATCH);
            if left == 0 {
                return None;
            }
            let read = tokio::task::spawn_blocking(move || lines(&store, after + 1, left)).await;
            match read.map_err(std::io::Error::other).and_then(|read| read) {
                Ok((last, lines)) => Some((Ok(lines), last.unwrap_or(head.number))),
                Err(error) => Some((Err(error), head.number)),
            }
        }
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(rows)))
}

/// Rows as lines, and the number of the last one; blocks.
fn lines(store: &AlertStore, from: u64, most: u32) -> std::io::Result<(Option<u64>, Bytes)> {
    let rows = store.audit_rows(from, most).map_err(std::io::Error::other)?;
    let last = rows.last().map(|row| row.number);
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, &AuditRowJson::from(row))?;
        text.push(b'\n');
    }
    Ok((last, text.into()))
}
