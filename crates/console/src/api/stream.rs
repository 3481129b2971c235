use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use tokio::sync::broadcast;
use tokio::time::{Interval, MissedTickBehavior};
use vedette_access::Areas;

use super::{App, Shared};
use crate::api_rule::ApiRule;
use crate::feed::{Change, read};
use crate::gate::Client;
use crate::guard::Allowed;
use crate::metrics;
use crate::params::Params;
use crate::problem::{Problem, ProblemJson, ProblemKind};
use crate::refusals::Refusal;
use crate::stream_places::StreamPlace;

const KEEP_ALIVE: Duration = Duration::from_secs(15);
const RECONNECT: Duration = Duration::from_secs(2);
/// How often it is asked whether the caller may still listen: a session that ended, or a role that was taken away, ends its streams.
const CHECK_EVERY: Duration = Duration::from_millis(500);
/// Proxies send each event on at once: nginx would otherwise fill a buffer first, and others compress.
const UNBUFFERED: [(HeaderName, &str); 2] =
    [(HeaderName::from_static("x-accel-buffering"), "no"), (header::CACHE_CONTROL, "no-store, no-transform")];

/// One live stream: first the missed changes, then new ones.
struct Live {
    app: App,
    allowed: Allowed,
    /// When the caller is asked for again.
    checks: Interval,
    changes: broadcast::Receiver<Arc<Change>>,
    ready: VecDeque<Event>,
    /// Number of the last change sent, or hidden.
    sent: u64,
    /// Number of the change up to which the client has seen everything when the stream began.
    since: u64,
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
    Extension(allowed): Extension<Allowed>,
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
    let Began { sent, since, ready } = look_back(&app, &allowed.areas, last).await?;
    let mut checks = tokio::time::interval(CHECK_EVERY);
    checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let live = Live { app, allowed, checks, changes, ready, sent, since, _place: place };
    let events =
        futures::stream::unfold(live, |mut live| async move { Some((Ok::<_, Infallible>(live.next().await?), live)) });
    Ok((UNBUFFERED, Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))))
}

fn last_event(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get("last-event-id") else { return Ok(None) };
    let text = String::from_utf8_lossy(value.as_bytes());
    text.parse().map(Some).map_err(|_| Problem::parameter("Last-Event-ID", &text, ApiRule::LastEvent))
}

/// Where a stream begins.
struct Began {
    sent: u64,
    since: u64,
    ready: VecDeque<Event>,
}

/// The changes that a client within `areas` missed since `last`, and the number of the last one.
async fn look_back(app: &Shared, areas: &Areas, last: Option<u64>) -> Result<Began, Problem> {
    let (store, limit) = (app.parts.store.clone(), app.settings.resume_limit);
    let base = app.settings.base_path.clone();
    // Within areas, the number of an event moves with its hidden alerts: a change that was missed could count as seen. Such a client reloads.
    let is_whole = *areas == Areas::Everywhere;
    let looked = tokio::task::spawn_blocking(move || {
        let newest = store.last_change()?;
        match last {
            Some(last) if is_whole && last < newest && newest - last <= u64::from(limit) => {
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
        ready.push_back(lagged(skipped, areas));
    }
    ready.extend(missed.iter().filter_map(|change| alert(app, change, areas, start)));
    let sent = missed.last().map_or(newest, |change| change.number);
    Ok(Began { sent, since: start, ready })
}

/// The event of a change; none if the client does not see it.
fn alert(app: &Shared, change: &Change, areas: &Areas, since: u64) -> Option<Event> {
    let json = change.json(areas, since, &app.settings.base_path)?;
    metrics::STREAM_EVENTS.get().increment(1);
    Some(Event::default().event("alert").id(change.number.to_string()).data(json))
}

/// A client within areas is not told how many: most are elsewhere.
fn lagged(skipped: u64, areas: &Areas) -> Event {
    metrics::STREAM_SKIPPED.with(["lagged"]).increment(skipped);
    let skipped = if *areas == Areas::Everywhere { skipped } else { 0 };
    Event::default().event("lagged").data(format!(r#"{{"skipped":{skipped}}}"#))
}

impl Live {
    /// The next event; none when the server stops, or the caller is no longer the one that it was.
    async fn next(&mut self) -> Option<Event> {
        loop {
            let received = tokio::select! {
                biased;
                () = self.app.stop.cancelled() => return None,
                _ = self.checks.tick() => {
                    if !self.app.guard.callers.is_still(&self.allowed.caller).await {
                        return None;
                    }
                    continue;
                }
                event = std::future::ready(self.ready.pop_front()), if !self.ready.is_empty() => return event,
                received = self.changes.recv() => received,
            };
            match received {
                Ok(change) if change.number > self.sent => {
                    self.sent = change.number;
                    if let Some(event) = alert(&self.app, &change, &self.allowed.areas, self.since) {
                        return Some(event);
                    }
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(skipped)) => {
                    return Some(lagged(skipped, &self.allowed.areas));
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}
