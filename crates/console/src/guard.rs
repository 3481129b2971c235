//! Who asks, and whether they may: before every handler of the API. A route without a row in [`needs`] is refused.

mod callers;
mod needs;
mod password_login;
mod refused_acts;
mod sign_on;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use vedette_access::{Areas, AuditEntry, Caller, Outcome, Permission, Via};
use vedette_core::Timestamp;

use crate::api_rule::ApiRule;
use crate::gate::Client;
use crate::problem::{Problem, ProblemKind};
pub(crate) use callers::{COOKIE, Callers, Credentials, cookie_text};
pub(crate) use needs::{Need, need};
pub(crate) use password_login::PasswordLogin;
pub(crate) use sign_on::SignOn;

/// The caller of a request that needs none, if there is one.
#[derive(Debug, Clone)]
pub(crate) struct Known(pub(crate) Option<Arc<Caller>>);

/// A caller who has the permission of the route: an extension of its request.
#[derive(Debug, Clone)]
pub(crate) struct Allowed {
    pub(crate) caller: Arc<Caller>,
    /// Where it has the permission.
    pub(crate) areas: Areas,
    /// Its network address.
    pub(crate) peer: IpAddr,
}

impl Allowed {
    /// A row of the audit log about an act of this caller.
    pub(crate) fn entry(&self, at: Timestamp, act: &str, object: String) -> AuditEntry {
        entry_of(&self.caller, self.peer, at, act, object)
    }

    /// The name under which the caller acts. Without accounts it is the one given.
    ///
    /// # Errors
    /// When an account gives another name than its own.
    pub(crate) fn name(&self, given: Option<&str>) -> Result<Option<String>, Problem> {
        match (&self.caller.via, given) {
            (Via::Address, given) => Ok(given.map(ToOwned::to_owned)),
            (_, Some(given)) => Err(Problem::parameter("by", given, ApiRule::NameGiven)),
            (_, None) => Ok(Some(self.caller.who.to_string())),
        }
    }
}

/// A row of the audit log about an act of a caller.
pub(crate) fn entry_of(caller: &Caller, peer: IpAddr, at: Timestamp, act: &str, object: String) -> AuditEntry {
    let session = match &caller.via {
        Via::Address => String::new(),
        Via::Session(hash) | Via::Token(hash) => hash.id(),
    };
    let entry = AuditEntry::done(at, act, object, caller.who.to_string(), peer.to_string());
    AuditEntry { role: caller.grants.to_string(), session, ..entry }
}

/// The state of the guard.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) callers: Callers,
}

impl Guard {
    pub(crate) fn new(callers: Callers) -> Self {
        Self { callers }
    }
}

/// A middleware that answers refused requests itself.
pub(crate) async fn check(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    match guard.allowed(&mut request).await {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

impl Guard {
    /// Adds the caller to a request, if it may be served.
    async fn allowed(&self, request: &mut Request) -> Result<(), Problem> {
        let method = match *request.method() {
            Method::HEAD => Method::GET,
            // Only asks which methods there are.
            Method::OPTIONS => return Ok(()),
            ref method => method.clone(),
        };
        let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
        let need = path.as_deref().and_then(|path| need(&method, path));
        // Health and metrics say that the store is away.
        let without_store = matches!(need, Some(Need::Anyone | Need::Has(Permission::Operate)));
        let caller = self.callers.caller(Credentials::of(request), without_store).await;
        let peer = request.extensions().get::<Client>().map(|client| client.0);
        let (Some(need), Some(peer)) = (need, peer) else {
            // Known to no row, so open to nobody.
            return Err(Problem::new(ProblemKind::FORBIDDEN, ApiRule::NotOpen));
        };
        let permission = match need {
            Need::Anyone => {
                request.extensions_mut().insert(Known(caller.ok().map(Arc::new)));
                return Ok(());
            }
            Need::Caller => None,
            Need::Has(permission) => Some(permission),
        };
        let caller = caller?;
        let areas = permission.map_or(Some(Areas::Everywhere), |permission| caller.areas(permission));
        let Some(areas) = areas else {
            let permission = permission.map_or("", Permission::as_str);
            if method != Method::GET || permission == Permission::SeeEvidence.as_str() {
                let object = format!("{method} {}", request.uri().path());
                let mut entry = entry_of(&caller, peer, self.callers.now(), "refused", object);
                entry.outcome = Outcome::Refused("access.not-permitted".to_owned());
                self.callers.note_refusal(entry).await;
            }
            return Err(Problem::new(
                ProblemKind::FORBIDDEN,
                ApiRule::NotPermitted { permission: permission.to_owned() },
            ));
        };
        request.extensions_mut().insert(Allowed { caller: Arc::new(caller), areas, peer });
        Ok(())
    }
}
