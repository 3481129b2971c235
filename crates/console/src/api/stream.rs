use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;

use super::{App, Shared};
use crate::api_rule::ApiRule;
use crate::feed::{Change, read};
use crate::gate::Client;
use crate::metrics;
use crate::params::Params;
use crate::problem::{Problem, ProblemJson, ProblemKind};
use crate::refusals::Refusal;
use crate::stream_places::StreamPlace;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const RECONNECT: Duration = Duration::from_secs(2);
/// Proxies send each event on at once: nginx would otherwise fill a buffer first, and others compress.
const UNBUFFERED: [(HeaderName, &str); 2] =
    [(HeaderName::from_static("x-accel-buffering"), "no"), (header::CACHE_CONTROL, "no-store, no-transform")];

/// One live stream: first the missed changes, then new ones.
struct Live {
    changes: broadcast::Receiver<Arc<Change>>,
    ready: VecDeque<Event>,
    /// Number of the last change sent.
    sent: u64,
    stop: CancellationToken,
    _place: StreamPlace,
}

/// Alerts as they change (server-sent events)
///
/// Events: `ready` once at the start; `alert` with the current alert, whenever it is raised, ends, gets a verdict, joins or leaves
/// an event, and whenever one of its views does. An alert with `view_of` is no longer an entry of the list: the alert named there
/// is sent too, with all its views. `lagged` with `{"skipped": n}` when the client was too slow or disconnected for too long and
/// `n` changes are not sent: reload the list. Each event's id is the number of the change; send it as `Last-Event-ID` to resume
/// after it.
#[utoipa::path(get, path = "/api/v1/alerts/stream", tag = "alerts", operation_id = "streamAlerts",
    params(("Last-Event-ID" = Option<u64>, Header, description = "Number of the last change received")),
    responses(
        (status = 200, description = "An event stream without end", body = String, content_type = "text/event-stream"),
        (status = 400, description = "`Last-Event-ID` is not a number", body = ProblemJson, content_type = "application/problem+json"),
        (status = 429, description = "Too many streams of this client are open", body = ProblemJson, content_type = "application/problem+json"),
        (status = 503, description = "Too many streams are open", body = ProblemJson, content_type = "application/problem+json"),
    ))]
pub(crate) async fn stream(
    State(app): State<App>,
    Extension(Client(client)): Extension<Client>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    Params::read(query.as_deref(), &[])?;
    let last = last_event(&headers)?;
    let place = app.streams.take(client).map_err(|(limit, most)| {
        metrics::STREAMS_REFUSED.get().increment(1);
        app.refusals.note(limit, &client);
        match limit {
            Refusal::StreamsOfClient => {
                Problem::new(ProblemKind::BUSY_FOR_CLIENT, ApiRule::TooManyStreamsOfClient { most })
            }
            _ => Problem::new(ProblemKind::BUSY, ApiRule::TooManyStreams { most }),
        }
    })?;
    // Subscribing comes first: a change in between is then received twice and recognised by its number.
    let changes = app.feed.subscribe();
    let (sent, ready) = look_back(&app, last).await?;
    let live = Live { changes, ready, sent, stop: app.stop.clone(), _place: place };
    let events =
        futures::stream::unfold(live, |mut live| async move { Some((Ok::<_, Infallible>(live.next().await?), live)) });
    Ok((UNBUFFERED, Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))))
}

fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    text.parse().map(Some).map_err(|_| Problem::parameter("Last-Event-ID", &text, ApiRule::LastEvent))
}

/// The changes that a client missed since `last`, and the number of the last one.
async fn look_back(app: &Shared, last: Option<u64>) -> Result<(u64, VecDeque<Event>), Problem> {
    let (store, limit) = (app.parts.store.clone(), app.settings.resume_limit);
    let base = app.settings.base_path.clone();
    let looked = tokio::task::spawn_blocking(move || {
        let newest = store.last_change()?;
        match last {
            Some(last) if last < newest && newest - last <= u64::from(limit) => {
                Ok::<_, crate::feed::FeedError>((newest, read(&store, &base, last, limit)?))
            }
            _ => Ok((newest, Vec::new())),
        }
    })
    .await
    .map_err(|error| Problem::internal("reading the alert store", &error))?;
    let (newest, missed) = looked.map_err(|error| Problem::internal("reading the alert store", &error))?;
    let mut ready = VecDeque::with_capacity(missed.len() + 1);
    let skipped = match last {
        // A number from the future belongs to another store.
        Some(last) if last > newest => newest,
        Some(last) if missed.is_empty() => newest - last,
        _ => 0,
    };
    let start = if missed.is_empty() { newest } else { last.unwrap_or(newest) };
    ready.push_back(Event::default().event("ready").id(start.to_string()).retry(RECONNECT).data("{}"));
    if last.is_some_and(|last| last != newest) && missed.is_empty() {
        ready.push_back(lagged(skipped));
    }
    ready.extend(missed.iter().map(alert));
    let sent = missed.last().map_or(newest, |change| change.number);
    Ok((sent, ready))
}

fn alert(change: &Change) -> Event {
    metrics::STREAM_EVENTS.get().increment(1);
    Event::default().event("alert").id(change.number.to_string()).data(&change.json)
}

fn lagged(skipped: u64) -> Event {
    metrics::STREAM_SKIPPED.with(["lagged"]).increment(skipped);
    Event::default().event("lagged").data(format!(r#"{{"skipped":{skipped}}}"#))
}

impl Live {
    /// The next event; none when the server stops.
    async fn next(&mut self) -> Option<Event> {
        if let Some(event) = self.ready.pop_front() {
            return Some(event);
        }
        loop {
            let received = self.stop.run_until_cancelled(self.changes.recv()).await?;
            match received {
                Ok(change) if change.number > self.sent => {
                    self.sent = change.number;
                    return Some(alert(&change));
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(skipped)) => return Some(lagged(skipped)),
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
