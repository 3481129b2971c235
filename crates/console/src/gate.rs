//! What every request passes before its handler: the name under which the console was opened, the site whose page asks, and the
//! body. The handler gets the address of the client.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;

use crate::api_rule::ApiRule;
use crate::arrival::Arrival;
use crate::hosts::{HostPort, is_allowed, is_own_origin};
use crate::problem::{Problem, ProblemKind};
use crate::proxies::{client, forwarded_hosts};
use crate::refusals::{Refusal, Refusals};
use crate::turns::{Turns, Work};
use crate::{ConsoleSettings, Limits};

/// Most bytes of a request's body.
const MAX_BODY: usize = 16 * 1024;
/// The same for cameras and policies: a change is as large as a record of the bus.
const MAX_CHANGE: usize = 2 * 1024 * 1024;
/// Bytes beyond that are read of one that is too large.
const READ_BEYOND: usize = 1024 * 1024;
/// Characters of a header that are repeated in an answer.
const SHOWN: usize = 80;

/// The address of the client, as an extension of its request: behind a trusted proxy the one that the proxy names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client(pub(crate) IpAddr);

/// Whether a request comes from a program of this machine, under a name of this machine: an extension of the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OnThisMachine(pub(crate) bool);

/// The state of the gate.
#[derive(Debug)]
pub(crate) struct Gate {
    pub(crate) settings: ConsoleSettings,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) turns: Arc<Turns>,
}

/// A middleware that answers refused requests itself.
pub(crate) async fn pass(State(gate): State<Arc<Gate>>, mut request: Request, next: Next) -> Response {
    let Some(arrival) = request.extensions().get::<Arrival>().copied() else {
        return Problem::new(ProblemKind::INTERNAL, ApiRule::Internal { operation: "accepting the request".into() })
            .into_response();
    };
    let client = client(arrival.peer.ip(), request.headers(), &gate.settings.trusted_proxies);
    match gate.check(&request, arrival) {
        Err((refusal, problem)) => {
            gate.refusals.note(refusal, &format_args!("{client}: {}", problem.detail()));
            return problem.into_response();
        }
        Ok(opened_as) => {
            let from = [arrival.peer.ip(), client];
            let is_here =
                from.iter().all(|ip| ip.to_canonical().is_loopback()) && opened_as.iter().all(HostPort::is_loopback);
            request.extensions_mut().insert(OnThisMachine(is_here));
        }
    }
    request.extensions_mut().insert(Client(client));
    // Before the turn is taken: a slow body must keep nobody else waiting.
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        match whole_body(request, &gate.settings.limits).await {
            Ok(whole) => request = whole,
            Err((refusal, problem)) => {
                gate.refusals.note(refusal, &client);
                return problem.into_response();
            }
        }
    }
    let Some(work) = Work::of(request.uri().path()) else { return next.run(request).await };
    let turn = gate.turns.take(client, work).await;
    if work.ends_with_its_client() {
        let response = next.run(request).await;
        drop(turn);
        return response;
    }
    // To its end, even when the client leaves: its turn would be over otherwise, and its work would not.
    let worked = tokio::spawn(async move {
        let response = next.run(request).await;
        drop(turn);
        response
    });
    worked.await.unwrap_or_else(|error| Problem::internal("answering the request", &error).into_response())
}

impl Gate {
    /// The names under which the console was opened, if it may be.
    fn check(&self, request: &Request, arrival: Arrival) -> Result<Vec<HostPort>, (Refusal, Problem)> {
        let ConsoleSettings { hosts, trusted_proxies, .. } = &self.settings;
        let mut opened_as = opened_as(request).map_err(|problem| (Refusal::Host, problem))?;
        let forwarded = forwarded_hosts(arrival.peer.ip(), request.headers(), trusted_proxies);
        opened_as.extend(forwarded.map_err(|_| (Refusal::Host, malformed("X-Forwarded-Host")))?);
        let unknown = opened_as.iter().find(|host| !is_allowed(host, arrival.local.ip(), hosts));
        if let Some(host) = unknown {
            let rule = ApiRule::HostUnknown { given: host.to_string().chars().take(SHOWN).collect() };
            return Err((Refusal::Host, Problem::new(ProblemKind::HOST, rule)));
        }
        let foreign = foreign(request.method(), request.headers(), &opened_as, hosts);
        match foreign {
            None => Ok(opened_as),
            Some(site) => {
                let rule = ApiRule::CrossSite { site };
                Err((Refusal::CrossSite, Problem::new(ProblemKind::CROSS_SITE, rule)))
            }
        }
    }
}

/// The hosts that a request names, in its target and in `Host`. Without one, only HTTP/1.0 is served: no browser speaks it.
fn opened_as(request: &Request) -> Result<Vec<HostPort>, Problem> {
    let mut named = Vec::new();
    if let Some(authority) = authority(request.uri()) {
        named.push(authority.parse().map_err(|_| malformed(authority))?);
    }
    let mut given = request.headers().get_all(header::HOST).iter();
    match (given.next(), given.next()) {
        (Some(_), Some(_)) => return Err(Problem::new(ProblemKind::REQUEST, ApiRule::HostTwice)),
        (Some(host), None) => {
            let text = String::from_utf8_lossy(host.as_bytes());
            named.push(text.parse().map_err(|_| malformed(&text))?);
        }
        (None, _) if request.version() == Version::HTTP_11 => {
            return Err(Problem::new(ProblemKind::REQUEST, ApiRule::HostMissing));
        }
        (None, _) => {}
    }
    Ok(named)
}

/// The authority of a target in absolute form, with its user information.
fn authority(target: &Uri) -> Option<&str> {
    target.authority().map(axum::http::uri::Authority::as_str)
}

fn malformed(given: &str) -> Problem {
    let given = given.chars().take(SHOWN).collect();
    Problem::new(ProblemKind::REQUEST, ApiRule::HostMalformed { given })
}

/// The other site whose page sent a request, if one did. Programs send neither header. A page of another site may link here, and
/// opens the console then; anything else of it is refused, even to read.
fn foreign(method: &Method, headers: &HeaderMap, opened_as: &[HostPort], configured: &[HostPort]) -> Option<String> {
    let text = |name: &str| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let unsafe_method = !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    let origin = text("origin").map(|origin| origin.chars().take(SHOWN).collect::<String>());
    if unsafe_method && let Some(origin) = origin.clone().filter(|origin| !is_own_origin(origin, opened_as, configured))
    {
        return Some(origin);
    }
    let own = |site: &String| matches!(site.as_str(), "same-origin" | "none");
    let site = text("sec-fetch-site").filter(|site| !own(site))?;
    let opens = !unsafe_method && text("sec-fetch-mode").is_some_and(|mode| mode == "navigate");
    (!opens).then(|| origin.unwrap_or_else(|| site.chars().take(SHOWN).collect()))
}

/// Most bytes of the body of a request for a path.
fn most_bytes(path: &str) -> usize {
    let parts = ["/api/v1/changes", "/api/v1/policies/", "/api/v1/cameras/", "/api/v1/what-if"];
    let is_change = parts.iter().any(|part| path.starts_with(part));
    if is_change { MAX_CHANGE } else { MAX_BODY }
}

/// The request with its body read, within the limits of size and time.
async fn whole_body(request: Request, limits: &Limits) -> Result<Request, (Refusal, Problem)> {
    let (parts, body) = request.into_parts();
    let most = most_bytes(parts.uri.path());
    let too_large = || (Refusal::Body, Problem::new(ProblemKind::TOO_LARGE, ApiRule::BodyTooLarge { most }));
    // The client asks before it sends.
    if parts.headers.contains_key(header::EXPECT) && body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(limits.body_timeout, read(body, most)).await {
        Ok(Ok(Some(bytes))) => Ok(Request::from_parts(parts, Body::from(bytes))),
        Ok(Ok(None)) => Err(too_large()),
        Ok(Err(error)) => {
            let rule = ApiRule::BodyBroken { reason: error.to_string() };
            Err((Refusal::Body, Problem::new(ProblemKind::BODY, rule)))
        }
        Err(_late) => {
            let seconds = limits.body_timeout.as_secs_f64();
            Err((Refusal::SlowBody, Problem::new(ProblemKind::SLOW, ApiRule::BodySlow { seconds })))
        }
    }
}

/// A body; none when it is too large. Some more is read then, since a client that is still sending may never see the answer.
async fn read(mut body: Body, most: usize) -> Result<Option<Vec<u8>>, axum::Error> {
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        length += data.len();
        if length <= most {
            bytes.extend_from_slice(&data);
        } else if length > most + READ_BEYOND {
            break;
        }
    }
    Ok((length <= most).then_some(bytes))
}

/// The answer to a method that a path has not. `OPTIONS` only asks which ones it has; the router adds them.
pub(crate) async fn other_method(method: Method) -> Response {
    match method {
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => Problem::new(ProblemKind::METHOD, ApiRule::Method).into_response(),
    }
}

/// The answer to a path that there is not. `OPTIONS *` asks about the whole server.
pub(crate) async fn no_path(request: Request) -> Response {
    if *request.method() == Method::OPTIONS && request.uri().path() == "*" {
        return (StatusCode::NO_CONTENT, [(header::ALLOW, "GET,HEAD,POST,DELETE")]).into_response();
    }
    Problem::new(ProblemKind::NOT_FOUND, ApiRule::NoPath).into_response()
}

/// Adds `OPTIONS` to the methods that an answer names.
pub(crate) fn with_options(mut response: Response) -> Response {
    if let Some(methods) = response.headers_mut().get_mut(header::ALLOW)
        && let Ok(all) = HeaderValue::try_from(format!("{},OPTIONS", methods.to_str().unwrap_or_default()))
    {
        *methods = all;
    }
    response
}
